// SPDX-License-Identifier: MIT
// ctlm: the feed-forward part of a block, forward beside backward: x + down(activation(up(norm(x)))).
#pragma once

#include "block_state.hpp"
#include "projection.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The norm before the feed-forward part: s.normed = norm(s.mid).
template <class M, class Context, class W, class S>
constexpr void normalise_feed_forward(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s) {
  using id = tensor_id;
  if constexpr (saves_copies<S>) convert_numbers(c, rows * M::shape.d_model, s.mid, s.saved.mid);
  norm_forward(typename M::norm{}, c.backend, *c.exec, rows, M::shape.d_model, s.mid,
               w.vector_of(id::norm2_weight, layer), w.vector_of(id::norm2_bias, layer), s.normed, M::shape.norm_eps,
               s.norm2);
}

/// The same norm again, to b.normed, for its backward pass.
template <class M, class Context, class W, class S, class T>
constexpr void normalise_feed_forward_again(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s,
                                            const block_scratch<T>& b) {
  using id = tensor_id;
  constexpr std::size_t d = M::shape.d_model;
  norm_repeat(typename M::norm{}, c.backend, *c.exec, rows, d,
              static_cast<const T*>(numbers_of(c, rows * d, s.mid, b.normed)), w.vector_of(id::norm2_weight, layer),
              w.vector_of(id::norm2_bias, layer), b.normed, s.norm2);
}

/// From the gradient of what that norm wrote, in b.dnormed, to that of what it read, which is added to dx.
template <class M, class Context, class W, class G, class S, class T>
constexpr void normalise_feed_forward_backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows,
                                               const S& s, const block_scratch<T>& b, T* dx) {
  using id = tensor_id;
  constexpr std::size_t d = M::shape.d_model;
  norm_backward(typename M::norm{}, c.backend, *c.exec, rows, d,
                static_cast<const T*>(numbers_of(c, rows * d, s.mid, b.normed)), w.vector_of(id::norm2_weight, layer),
                static_cast<const T*>(b.dnormed), dx, g.vector_of(id::norm2_weight, layer),
                g.vector_of(id::norm2_bias, layer), s.norm2);
}

/// Whether the backward pass writes the activated numbers over what the activation saw, S.
template <class M, class G, class S>
inline constexpr bool activates_in_place =
    stored_in_16_bits<S> && !M::activation_policy::gated && takes_rounded_rows<M, G> && M::shape.experts == 0;

/// The feed-forward part of model M: here, two projections for every row. Another kind of part is a specialisation for
/// the shapes that have it.
template <class M>
struct feed_forward_part {
  /// s.up = what the activation will see: everything that the backward pass needs of this part.
  template <class Context, class W, class S>
  static constexpr void until_activation(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s) {
    normalise_feed_forward<M>(c, w, layer, rows, s);
    project<M, tensor_id::up_weight, tensor_id::up_bias>(c, w, layer, rows, s.normed, nullptr, s.up);
    if constexpr (saves_copies<S>) convert_numbers(c, rows * M::shape.up_dim(), s.up, s.saved.up);
  }

  /// out = mid + what the feed-forward layer adds, with dropout on it.
  template <class Context, class W, class S, class Dropout>
  CTLM_NOINLINE static constexpr void forward(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s,
                                              const Dropout& dropout) {
    until_activation(c, w, layer, rows, s);
    activation_forward(typename M::activation_policy{}, c.backend, *c.exec, rows, M::shape.d_ff, s.up, s.activated);
    project_residual<M, tensor_id::down_weight, tensor_id::down_bias>(
        c, w, layer, rows, s.activated, s.mid, s.out, dropout, s.normed,
        residual_norm<M, tensor_id::after2_weight>(w, layer, s.branch2, s.after2));
    if constexpr (saves_copies<S> && M::shape.post_norms)
      convert_numbers(c, rows * M::shape.d_model, s.branch2, s.saved.branch2);
  }

  /// dx holds the gradient of `out` and becomes that of `mid`; those of the weights go to g. The pre-activations in
  /// s.up are consumed: they become their gradients.
  template <class Context, class W, class G, class S, class B, class T>
  CTLM_NOINLINE static constexpr void backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows,
                                               const S& s, const B& b, T* dx, const dropout_mask& dropout,
                                               bool accumulate) {
    using id = tensor_id;
    constexpr typename M::activation_policy activation;
    constexpr std::size_t d = M::shape.d_model, d_ff = M::shape.d_ff;
    const T* const dadded = through_dropout(c, dropout, rows * d, static_cast<const T*>(dx), b.normed);
    const T* const dbranch =
        through_residual_norm<M, id::after2_weight>(c, w, g, layer, rows, s.branch2, s.after2, dadded, b);
    T* dup = nullptr;
    if constexpr (activates_in_place<M, G, std::remove_pointer_t<decltype(s.up)>>) {
      // The gradient comes first, so that the activated numbers can take the place of what the activation saw.
      const auto down = w.template matrix_of<id::down_weight>(layer);
      dup = widening_parts(b).up;
      linear_backward_input(c.backend, *c.exec, rows, dbranch, down, dup, false, c.linear);
      activation_both_ways(activation, c.backend, *c.exec, rows * d_ff, dup, s.up);
      linear_backward_weight(c.backend, *c.exec, rows, dbranch,
                             static_cast<const std::remove_pointer_t<decltype(s.up)>*>(s.up),
                             g.template matrix_of<id::down_weight>(layer), accumulate,
                             gradient_place(g.vector_of(id::down_bias, layer)), c.linear);
    } else {
      dup = numbers_of(c, rows * M::shape.up_dim(), s.up, widening_parts(b).up);
      activation_forward(activation, c.backend, *c.exec, rows, d_ff, static_cast<const T*>(dup), b.activated);
      // The gradient of the activated numbers takes their place once the weights' has been computed from them.
      project_backward<M, id::down_weight, id::down_bias>(c, w, g, layer, rows, dbranch,
                                                          static_cast<const T*>(b.activated), b.activated, accumulate);
      activation_backward(activation, c.backend, *c.exec, rows, d_ff, static_cast<const T*>(b.activated), dup);
    }
    normalise_feed_forward_again<M>(c, w, layer, rows, s, b);
    project_backward<M, id::up_weight, id::up_bias>(c, w, g, layer, rows, static_cast<const T*>(dup),
                                                    static_cast<const T*>(b.normed), b.dnormed, accumulate);
    normalise_feed_forward_backward<M>(c, w, g, layer, rows, s, b, dx);
  }
};

}}  // namespace ctlm
