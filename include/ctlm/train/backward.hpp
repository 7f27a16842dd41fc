// SPDX-License-Identifier: MIT
// ctlm: the backward pass of a transformer block.
#pragma once

#include "../model/block.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scratch of the backward pass of a block, shared by all layers.
template <class T>
struct block_scratch {
  T* normed = nullptr;     // [rows][d_model] a normalised input, recomputed
  T* dnormed = nullptr;    // [rows][d_model]
  T* activated = nullptr;  // [rows][d_ff] recomputed
  T* dattended = nullptr;  // [rows][q_dim]
  T* dqkv = nullptr;       // [rows][qkv_dim]
};

/// The gradient that reaches a sublayer through its dropout: dx itself where there is none.
template <class Context, class T>
constexpr const T* through_dropout(Context& c, const dropout_mask& mask, std::size_t n, const T* dx, T* scratch) {
  if (!mask.active()) return dx;
  elementwise(
      c.arch, n, [](auto& to, const auto& from) { to = from; }, scratch, dx);
  parallel_for(*c.exec, n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    apply_dropout(mask, count, scratch + first, first);
  });
  return scratch;
}

/// The gradients of a projection: of its matrix (added where `accumulate`, written otherwise), added to its bias's, and
/// written to dx, its input's.
template <class M, tensor_id weight, tensor_id bias, class Context, class W, class G, class T>
constexpr void project_backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows, const T* dy,
                                const T* x, T* dx, bool accumulate) {
  linear_backward_weight(c.arch, *c.exec, rows, dy, x, g.template matrix_of<weight>(layer), accumulate,
                         g.vector_of(bias, layer), c.linear);
  linear_backward_input(c.arch, *c.exec, rows, dy, w.template matrix_of<weight>(layer), dx, false, c.linear);
}

/// dx holds the gradient of the block's output and becomes that of its input; gradients of weights are added to g, or,
/// those of matrices, written there if `accumulate` is not set. The saved pre-activations in s.up are consumed.
/// attend_backward(dattended, dqkv) is the caller's.
template <class M, class Context, class W, class G, class S, class T, class Attend>
constexpr void block_backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows, const S& s,
                              const block_scratch<T>& b, T* dx, Attend attend_backward, const dropout_mask& dropout1,
                              const dropout_mask& dropout2, bool accumulate) {
  constexpr decoder_shape const& shape = M::shape;
  constexpr std::size_t d = shape.d_model;
  constexpr typename M::norm norm;
  constexpr typename M::activation_policy activation;
  using id = tensor_id;

  const T* dbranch = through_dropout(c, dropout2, rows * d, dx, b.normed);
  activation_forward(activation, c.arch, *c.exec, rows, shape.d_ff, static_cast<const T*>(s.up), b.activated);
  project_backward<M, id::down_weight, id::down_bias>(c, w, g, layer, rows, dbranch, static_cast<const T*>(b.activated),
                                                      b.activated, accumulate);
  activation_backward(activation, c.arch, *c.exec, rows, shape.d_ff, static_cast<const T*>(b.activated), s.up);
  norm_repeat(norm, c.arch, *c.exec, rows, d, static_cast<const T*>(s.mid), w.vector_of(id::norm2_weight, layer),
              w.vector_of(id::norm2_bias, layer), b.normed, s.norm2);
  project_backward<M, id::up_weight, id::up_bias>(c, w, g, layer, rows, static_cast<const T*>(s.up),
                                                  static_cast<const T*>(b.normed), b.dnormed, accumulate);
  norm_backward(norm, c.arch, *c.exec, rows, d, static_cast<const T*>(s.mid), w.vector_of(id::norm2_weight, layer),
                static_cast<const T*>(b.dnormed), dx, g.vector_of(id::norm2_weight, layer),
                g.vector_of(id::norm2_bias, layer), s.norm2);

  dbranch = through_dropout(c, dropout1, rows * d, static_cast<const T*>(dx), b.normed);
  project_backward<M, id::out_weight, id::out_bias>(c, w, g, layer, rows, dbranch, static_cast<const T*>(s.attended),
                                                    b.dattended, accumulate);
  attend_backward(static_cast<const T*>(b.dattended), b.dqkv);
  norm_repeat(norm, c.arch, *c.exec, rows, d, static_cast<const T*>(s.x), w.vector_of(id::norm1_weight, layer),
              w.vector_of(id::norm1_bias, layer), b.normed, s.norm1);
  project_backward<M, id::qkv_weight, id::qkv_bias>(c, w, g, layer, rows, static_cast<const T*>(b.dqkv),
                                                    static_cast<const T*>(b.normed), b.dnormed, accumulate);
  norm_backward(norm, c.arch, *c.exec, rows, d, static_cast<const T*>(s.x), w.vector_of(id::norm1_weight, layer),
                static_cast<const T*>(b.dnormed), dx, g.vector_of(id::norm1_weight, layer),
                g.vector_of(id::norm1_bias, layer), s.norm1);
}

}}  // namespace ctlm
