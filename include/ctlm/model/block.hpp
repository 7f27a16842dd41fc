// SPDX-License-Identifier: MIT
// ctlm: the transformer block, the same for training and for inference: x + attention(norm(x)), then
// x + feed_forward(norm(x)).
#pragma once

#include "../kernels/ops.hpp"
#include "../policy/norm/layer_norm.hpp"
#include "../policy/norm/rms_norm.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Where the intermediate results of one block lie. Buffers that hold the same thing in sequence may be the same
/// memory; mid and out may be x itself (inference), or separate, to be kept for the backward pass.
template <class T, class Statistics>
struct block_state {
  T* x = nullptr;               // [rows][d_model] input
  T* normed = nullptr;          // [rows][d_model] scratch
  T* qkv = nullptr;             // [rows][qkv_dim]
  T* attended = nullptr;        // [rows][q_dim]
  T* mid = nullptr;             // [rows][d_model] after attention
  T* up = nullptr;              // [rows][up_dim] before the activation
  T* activated = nullptr;       // [rows][d_ff] scratch
  T* out = nullptr;             // [rows][d_model]
  Statistics* norm1 = nullptr;  // [rows], or nullptr
  Statistics* norm2 = nullptr;
};

/// No dropout: inference.
struct no_dropout {
  static constexpr bool active() { return false; }
};

/// y = x W^T + bias + residual, either of which may be nullptr. Its code is there once for each kind of matrix,
/// whatever a compiler thinks of a loop over many layers.
template <class M, class Context, matrix_view W>
CTLM_NOINLINE constexpr void linear_layer(Context& c, const W& w, const typename M::real* bias, std::size_t rows,
                                          const typename M::real* x, const typename M::real* residual,
                                          typename M::real* y) {
  linear(c.arch, *c.exec, rows, x, w, linear_terms<typename M::real>{bias, residual}, y, c.linear);
}

/// One projection of a block: the door to its matrix, whose view may be of any kind (matrix_of<weight>).
template <class M, tensor_id weight, tensor_id bias, class Context, class W>
constexpr void project(Context& c, const W& w, std::size_t layer, std::size_t rows, const typename M::real* x,
                       const typename M::real* residual, typename M::real* y) {
  linear_layer<M>(c, w.template matrix_of<weight>(layer), w.vector_of(bias, layer), rows, x, residual, y);
}

/// y = residual + the projection of x, with dropout on the projection.
template <class M, tensor_id weight, tensor_id bias, class Context, class W, class Dropout>
constexpr void project_residual(Context& c, const W& w, std::size_t layer, std::size_t rows, const typename M::real* x,
                                const typename M::real* residual, typename M::real* y, const Dropout& dropout,
                                typename M::real* scratch) {
  using T = typename M::real;
  if (!dropout.active()) return project<M, weight, bias>(c, w, layer, rows, x, residual, y);
  if constexpr (!std::same_as<Dropout, no_dropout>) {
    project<M, weight, bias>(c, w, layer, rows, x, nullptr, scratch);
    parallel_for(*c.exec, rows * M::shape.d_model, 16384, [&](std::size_t first, std::size_t n, std::size_t) {
      apply_dropout(dropout, n, scratch + first, first);
      auto add = [](auto& to, const auto& from, const auto& dropped) { to = from + dropped; };
      elementwise(c.arch, n, add, y + first, residual + first, static_cast<const T*>(scratch) + first);
    });
  }
}

/// A block as far as the feed-forward layer's activation: everything that its backward pass needs. `attend(qkv,
/// attended)` is the caller's: over a batch of sequences, or over a KV cache. Dropout acts on what attention adds.
template <class M, class Context, class W, class S, class Attend, class Dropout>
constexpr void block_until_activation(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s,
                                      Attend attend, const Dropout& dropout) {
  constexpr decoder_shape const& shape = M::shape;
  constexpr std::size_t d = shape.d_model;
  using norm = typename M::norm;
  using id = tensor_id;
  norm_forward(norm{}, c.arch, *c.exec, rows, d, s.x, w.vector_of(id::norm1_weight, layer),
               w.vector_of(id::norm1_bias, layer), s.normed, shape.norm_eps, s.norm1);
  project<M, id::qkv_weight, id::qkv_bias>(c, w, layer, rows, s.normed, nullptr, s.qkv);
  attend(s.qkv, s.attended);
  project_residual<M, id::out_weight, id::out_bias>(c, w, layer, rows, s.attended, s.x, s.mid, dropout, s.normed);

  norm_forward(norm{}, c.arch, *c.exec, rows, d, s.mid, w.vector_of(id::norm2_weight, layer),
               w.vector_of(id::norm2_bias, layer), s.normed, shape.norm_eps, s.norm2);
  project<M, id::up_weight, id::up_bias>(c, w, layer, rows, s.normed, nullptr, s.up);
}

/// One block over `rows` tokens. Dropout1 and dropout2 act on what attention and the feed-forward layer add.
template <class M, class Context, class W, class S, class Attend, class Dropout>
constexpr void block_forward(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s, Attend attend,
                             const Dropout& dropout1, const Dropout& dropout2) {
  block_until_activation<M>(c, w, layer, rows, s, attend, dropout1);
  activation_forward(typename M::activation_policy{}, c.arch, *c.exec, rows, M::shape.d_ff, s.up, s.activated);
  project_residual<M, tensor_id::down_weight, tensor_id::down_bias>(c, w, layer, rows, s.activated, s.mid, s.out,
                                                                    dropout2, s.normed);
}

}}  // namespace ctlm
