// SPDX-License-Identifier: MIT
// ctlm: the attention part of a block, forward beside backward: x + out(attention(rotate(qkv(norm(x))))). Written once
// for a session's rows and a training batch alike.
#pragma once

#include "block_state.hpp"
#include "head_norms.hpp"
#include "projection.hpp"
#include "rotary.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The heads of model M, as attention's kernels take them.
template <class M>
inline constexpr head_shape heads_of{M::shape.heads, M::shape.kv_heads, M::shape.head_dim, M::shape.query_scale};

/// The same of one layer, with what becomes of its scores.
template <class M>
constexpr auto heads_of_layer([[maybe_unused]] std::size_t layer) {
  constexpr decoder_shape s = M::shape;
  if constexpr (s.attention_cap > 0 || s.window > 0) {
    using rules = score_rules<(s.attention_cap > 0), (s.window > 0)>;
    return ruled_heads<rules>{s.heads, s.kv_heads, s.head_dim, s.query_scale, {s.attention_cap, s.window_of(layer)}};
  } else {
    return heads_of<M>;
  }
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
  if constexpr (saves_copies<S>) convert_numbers(c, rows * M::shape.d_model, s.x, s.saved.x);
  project<M, id::qkv_weight, id::qkv_bias>(c, w, layer, rows, s.normed, nullptr, s.qkv);
  attend(s.qkv, s.attended);
  if constexpr (saves_copies<S>) {
    convert_numbers(c, rows * M::shape.qkv_dim(), s.qkv, s.saved.qkv);
    convert_numbers(c, rows * M::shape.q_dim(), s.attended, s.saved.attended);
  }
  project_residual<M, id::out_weight, id::out_bias>(c, w, layer, rows, s.attended, s.x, s.mid, dropout, s.normed,
                                                    residual_norm<M, id::after1_weight>(w, layer, s.branch1, s.after1));
  if constexpr (saves_copies<S> && M::shape.post_norms)
    convert_numbers(c, rows * M::shape.d_model, s.branch1, s.saved.branch1);
}

/// dx holds the gradient of `mid` and becomes that of x; those of the weights go to g. `attend_backward(dattended,
/// dqkv)` undoes what `attend` did.
template <class M, class Context, class W, class G, class S, class B, class T, class Attend>
CTLM_NOINLINE constexpr void attention_part_backward(Context& c, const W& w, const G& g, std::size_t layer,
                                                     std::size_t rows, const S& s, const B& b, T* dx,
                                                     Attend attend_backward, const dropout_mask& dropout,
                                                     bool accumulate) {
  using id = tensor_id;
  constexpr typename M::norm norm;
  constexpr std::size_t d = M::shape.d_model;
  const T* const dadded = through_dropout(c, dropout, rows * d, static_cast<const T*>(dx), b.normed);
  const T* const dbranch =
      through_residual_norm<M, id::after1_weight>(c, w, g, layer, rows, s.branch1, s.after1, dadded, b);
  auto* const attended = [&] {
    if constexpr (takes_rounded_rows<M, G>)
      return s.attended;
    else
      return numbers_of(c, rows * M::shape.q_dim(), s.attended, widening_parts(b).attended);
  }();
  project_backward<M, id::out_weight, id::out_bias>(
      c, w, g, layer, rows, dbranch, static_cast<const std::remove_pointer_t<decltype(attended)>*>(attended),
      b.dattended, accumulate);
  attend_backward(static_cast<const T*>(b.dattended), b.dqkv);
  norm_repeat(norm, c.backend, *c.exec, rows, d, static_cast<const T*>(numbers_of(c, rows * d, s.x, b.normed)),
              w.vector_of(id::norm1_weight, layer), w.vector_of(id::norm1_bias, layer), b.normed, s.norm1);
  project_backward<M, id::qkv_weight, id::qkv_bias>(c, w, g, layer, rows, static_cast<const T*>(b.dqkv),
                                                    static_cast<const T*>(b.normed), b.dnormed, accumulate);
  norm_backward(norm, c.backend, *c.exec, rows, d, static_cast<const T*>(numbers_of(c, rows * d, s.x, b.normed)),
                w.vector_of(id::norm1_weight, layer), static_cast<const T*>(b.dnormed), dx,
                g.vector_of(id::norm1_weight, layer), g.vector_of(id::norm1_bias, layer), s.norm1);
}

}}  // namespace ctlm
