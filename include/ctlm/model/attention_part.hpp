// SPDX-License-Identifier: MIT
// ctlm: the attention part of a block, forward beside backward: x + out(attention(rotate(qkv(norm(x))))). Written once
// for a session's rows and a training batch alike.
#pragma once

#include "block_state.hpp"
#include "projection.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The heads of model M, as attention's kernels take them.
template <class M>
inline constexpr head_shape heads_of{M::shape.heads, M::shape.kv_heads, M::shape.head_dim};

/// Cosines and sines of the rotary angles, [period][head_dim / 2]; row r has those of row r % period. Without rotary
/// positions there are none.
template <class T>
struct rotary_angles {
  T* cosine = nullptr;     ///< [period][head_dim / 2]; nullptr without rotary positions
  T* sine = nullptr;       ///< [period][head_dim / 2]
  std::size_t period = 1;  ///< rows after which the positions repeat: of a batch, its sequence

  /// Asks an arena for the angles of `period` rows; for none where the model has no rotary positions.
  template <class A>
  static constexpr rotary_angles place(A& a, const decoder_shape& shape, std::size_t period) {
    if (shape.position != position_kind::rope) return {};
    const std::size_t numbers = period * shape.head_dim / 2;
    T* const cosine = a.template allocate<T>(numbers);
    return {cosine, a.template allocate<T>(numbers), period};
  }
  /// Computes the angles of `rows` positions, `first` being the first.
  constexpr void fill(const decoder_shape& shape, std::size_t first, std::size_t rows) const {
    if (shape.position == position_kind::rope) rope_angles(rows, shape.head_dim, first, shape.rope_theta, cosine, sine);
  }
};

/// Turns queries and keys of all rows by their positions, or back (direction -1).
template <class M, class Context, class T>
constexpr void rotate(Context& c, std::size_t rows, const rotary_angles<T>& angles, T* qkv, T direction) {
  if constexpr (M::shape.position == position_kind::rope)
    rope(c.backend, *c.exec, rows, angles.period, M::shape.heads + M::shape.kv_heads, M::shape.head_dim, qkv,
         M::shape.qkv_dim(), static_cast<const T*>(angles.cosine), static_cast<const T*>(angles.sine), direction);
}

/// mid = x + what attention adds, with dropout on it. `attend(qkv, attended)` rotates the rows' queries and keys and
/// attends: over a training batch, or over a KV cache.
template <class M, class Context, class W, class S, class Attend, class Dropout>
CTLM_NOINLINE constexpr void attention_part_forward(Context& c, const W& w, std::size_t layer, std::size_t rows,
                                                    const S& s, Attend attend, const Dropout& dropout) {
  using id = tensor_id;
  norm_forward(typename M::norm{}, c.backend, *c.exec, rows, M::shape.d_model, s.x,
               w.vector_of(id::norm1_weight, layer), w.vector_of(id::norm1_bias, layer), s.normed, M::shape.norm_eps,
               s.norm1);
  project<M, id::qkv_weight, id::qkv_bias>(c, w, layer, rows, s.normed, nullptr, s.qkv);
  attend(s.qkv, s.attended);
  project_residual<M, id::out_weight, id::out_bias>(c, w, layer, rows, s.attended, s.x, s.mid, dropout, s.normed);
}

/// dx holds the gradient of `mid` and becomes that of x; those of the weights go to g. `attend_backward(dattended,
/// dqkv)` undoes what `attend` did.
template <class M, class Context, class W, class G, class S, class T, class Attend>
CTLM_NOINLINE constexpr void attention_part_backward(Context& c, const W& w, const G& g, std::size_t layer,
                                                     std::size_t rows, const S& s, const block_scratch<T>& b, T* dx,
                                                     Attend attend_backward, const dropout_mask& dropout,
                                                     bool accumulate) {
  using id = tensor_id;
  constexpr typename M::norm norm;
  constexpr std::size_t d = M::shape.d_model;
  const T* const dbranch = through_dropout(c, dropout, rows * d, static_cast<const T*>(dx), b.normed);
  project_backward<M, id::out_weight, id::out_bias>(c, w, g, layer, rows, dbranch, static_cast<const T*>(s.attended),
                                                    b.dattended, accumulate);
  attend_backward(static_cast<const T*>(b.dattended), b.dqkv);
  norm_repeat(norm, c.backend, *c.exec, rows, d, static_cast<const T*>(s.x), w.vector_of(id::norm1_weight, layer),
              w.vector_of(id::norm1_bias, layer), b.normed, s.norm1);
  project_backward<M, id::qkv_weight, id::qkv_bias>(c, w, g, layer, rows, static_cast<const T*>(b.dqkv),
                                                    static_cast<const T*>(b.normed), b.dnormed, accumulate);
  norm_backward(norm, c.backend, *c.exec, rows, d, static_cast<const T*>(s.x), w.vector_of(id::norm1_weight, layer),
                static_cast<const T*>(b.dnormed), dx, g.vector_of(id::norm1_weight, layer),
                g.vector_of(id::norm1_bias, layer), s.norm1);
}

}}  // namespace ctlm
