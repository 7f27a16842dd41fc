// SPDX-License-Identifier: MIT
// ctlm: the feed-forward part of a block with experts, forward beside backward: x plus the share-weighted sum of what
// the experts of each row make of norm(x). Each expert's matrices are read once, for all rows that take it; those of an
// expert that no row takes are not read.
#pragma once

#include "feed_forward_part.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of a model with experts. What the experts add to a row is added up in the order of their numbers.
template <class M>
requires(M::shape.experts > 0) struct feed_forward_part<M> {
  /// Chooses the experts of all rows, and s.up = what their activations will see, [picks][up_dim] in the order of
  /// s.routed.order.
  template <class Context, class W, class S>
  static constexpr void until_activation(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s) {
    using T = typename M::real;
    normalise_feed_forward<M>(c, w, layer, rows, s);
    const T* const x = s.normed;
    // As for all products, the length of a row comes from a view: GCC 12 warns of a loop of the products where it is a
    // constant.
    const std::size_t length = w.template matrix_of<tensor_id::out_weight>(layer).rows;
    route<M>(c, static_cast<const T*>(w.vector_of(tensor_id::router_weight, layer)), length, rows, x, s.routed);
    for_each_expert<M>(s.routed, [&](std::size_t expert, std::size_t first, std::size_t count) {
      gather_rows<M>(c, s.routed, first, count, x, s.routed.moved);
      linear_layer<M>(c, w.template expert_of<tensor_id::up_weight>(layer, expert), nullptr, count, s.routed.moved,
                      nullptr, s.up + first * up_dim);
    });
    if constexpr (saves_copies<S>) convert_numbers(c, rows * M::shape.experts_per_token * up_dim, s.up, s.saved.up);
  }

  /// out = mid + what the experts add, with dropout on it.
  template <class Context, class W, class S, class Dropout>
  CTLM_NOINLINE static constexpr void forward(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s,
                                              const Dropout& dropout) {
    until_activation(c, w, layer, rows, s);
    const auto after = residual_norm<M, tensor_id::after2_weight>(w, layer, s.branch2, s.after2);
    if constexpr (decltype(after)::present) {
      add_experts(c, w, layer, rows, s, after.branch);
      after.apply(c, rows, s.normed);
      if constexpr (saves_copies<S>) convert_numbers(c, rows * d, s.branch2, s.saved.branch2);
    } else {
      add_experts(c, w, layer, rows, s, s.normed);
    }
    add_branch<M>(c, rows, s.mid, s.normed, s.out, dropout);
  }

  /// dx holds the gradient of `out` and becomes that of `mid`; those of the weights go to g. The pre-activations in
  /// s.up and the probabilities in s.routed are consumed.
  template <class Context, class W, class G, class S, class B, class T>
  CTLM_NOINLINE static constexpr void backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows,
                                               const S& s, const B& b, T* dx, const dropout_mask& dropout,
                                               bool accumulate) {
    using id = tensor_id;
    const T* const dadded = through_dropout(c, dropout, rows * d, static_cast<const T*>(dx), b.normed);
    const T* const dbranch =
        through_residual_norm<M, id::after2_weight>(c, w, g, layer, rows, s.branch2, s.after2, dadded, b);
    if (!accumulate) clear_untaken(c, g, layer, s.routed);
    T* const up = numbers_of(c, rows * M::shape.experts_per_token * up_dim, s.up, widening_parts(b).up);
    through_down(c, w, g, layer, s.routed, up, b, dbranch, accumulate);
    normalise_feed_forward_again<M>(c, w, layer, rows, s, b);
    clear_rows(c, rows, b.dnormed);  // dbranch, which may lie there, has been read
    through_up(c, w, g, layer, s.routed, static_cast<const T*>(up), b, accumulate);
    route_backward_logits<M>(c, rows, static_cast<const T*>(b.dshares), s.routed);
    route_backward<M>(c, static_cast<const T*>(w.vector_of(id::router_weight, layer)), rows,
                      static_cast<const T*>(b.normed), s.routed, g.vector_of(id::router_weight, layer), b.dnormed);
    normalise_feed_forward_backward<M>(c, w, g, layer, rows, s, b, dx);
  }

 private:
  static constexpr std::size_t d = M::shape.d_model, d_ff = M::shape.d_ff, up_dim = M::shape.up_dim();

  template <class Context, class T>
  static constexpr void clear_rows(Context& c, std::size_t rows, T* x) {
    parallel_for(*c.exec, rows * d, 16384, [&](std::size_t first, std::size_t n, std::size_t) { clear(n, x + first); });
  }

  /// branch = the sum of what the experts make of s.up.
  template <class Context, class W, class S, class T>
  static constexpr void add_experts(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s,
                                    T* branch) {
    clear_rows(c, rows, branch);
    for_each_expert<M>(s.routed, [&](std::size_t expert, std::size_t first, std::size_t count) {
      activation_forward(typename M::activation_policy{}, c.backend, *c.exec, count, d_ff,
                         static_cast<const T*>(s.up + first * up_dim), s.activated);
      linear_layer<M>(c, w.template expert_of<tensor_id::down_weight>(layer, expert), nullptr, count, s.activated,
                      nullptr, s.routed.moved);
      scatter_rows<M>(c, s.routed, first, count, static_cast<const T*>(s.routed.moved), branch,
                      [&](std::size_t pick) { return s.routed.shares[pick]; });
    });
  }

  /// Gradients of matrices begin with the first micro-batch: those of experts that it did not take are zero.
  template <class Context, class G, class T>
  static constexpr void clear_untaken(Context& c, const G& g, std::size_t layer, const routing<T>& r) {
    auto clear_all = [&](const auto& m) {
      parallel_for(*c.exec, m.rows * m.cols, 16384,
                   [&](std::size_t first, std::size_t n, std::size_t) { clear(n, m.data + first); });
    };
    for (std::size_t e = 0; e < M::shape.experts; ++e) {
      if (r.first[e] < r.first[e + 1]) continue;
      clear_all(g.template expert_of<tensor_id::up_weight>(layer, e));
      clear_all(g.template expert_of<tensor_id::down_weight>(layer, e));
    }
  }

  /// From the gradients of the branch to those of the shares, in b.dshares, and of the pre-activations, in `all`.
  template <class Context, class W, class G, class T>
  static constexpr void through_down(Context& c, const W& w, const G& g, std::size_t layer, const routing<T>& r, T* all,
                                     const block_scratch<T>& b, const T* dbranch, bool accumulate) {
    constexpr typename M::activation_policy activation;
    for_each_expert<M>(r, [&](std::size_t expert, std::size_t first, std::size_t count) {
      T* const up = all + first * up_dim;
      const T* const dmade = b.moved;
      gather_rows<M>(c, r, first, count, dbranch, b.moved);
      activation_forward(activation, c.backend, *c.exec, count, d_ff, static_cast<const T*>(up), b.activated);
      linear_backward_input(c.backend, *c.exec, count, dmade,
                            w.template expert_of<tensor_id::down_weight>(layer, expert), b.dactivated, false, c.linear);
      through_shares(c, r, first, count, b);
      linear_backward_weight(c.backend, *c.exec, count, dmade, static_cast<const T*>(b.activated),
                             g.template expert_of<tensor_id::down_weight>(layer, expert), accumulate,
                             static_cast<T*>(nullptr), c.linear);
      activation_backward(activation, c.backend, *c.exec, count, d_ff, static_cast<const T*>(b.dactivated), up);
    });
  }

  /// The gradient of a share is the product of what its expert made with the gradient of the branch, which is that of
  /// the activated numbers with theirs. Both are then scaled by the share.
  template <class Context, class T>
  static constexpr void through_shares(Context& c, const routing<T>& r, std::size_t first, std::size_t count,
                                       const block_scratch<T>& b) {
    parallel_for(*c.exec, count, larger(1, 16384 / d_ff), [&](std::size_t begin, std::size_t n, std::size_t) {
      for (std::size_t i = begin; i < begin + n; ++i) {
        const std::size_t pick = r.order[first + i];
        const T share = r.shares[pick];
        b.dshares[pick] = sum(
            c.backend, d_ff,
            [=](auto& dv, auto& v) {
              const auto product = dv * v;
              dv = dv * share;
              v = v * share;
              return product;
            },
            b.dactivated + i * d_ff, b.activated + i * d_ff);
      }
    });
  }

  /// From the gradients of the pre-activations to those of the normalised rows, which are added to b.dnormed.
  template <class Context, class W, class G, class T>
  static constexpr void through_up(Context& c, const W& w, const G& g, std::size_t layer, const routing<T>& r,
                                   const T* all, const block_scratch<T>& b, bool accumulate) {
    for_each_expert<M>(r, [&](std::size_t expert, std::size_t first, std::size_t count) {
      const T* const dup = all + first * up_dim;
      gather_rows<M>(c, r, first, count, static_cast<const T*>(b.normed), b.moved);
      linear_layer_backward(c, w.template expert_of<tensor_id::up_weight>(layer, expert),
                            g.template expert_of<tensor_id::up_weight>(layer, expert), static_cast<T*>(nullptr), count,
                            dup, static_cast<const T*>(b.moved), b.moved, accumulate);
      scatter_rows<M>(c, r, first, count, static_cast<const T*>(b.moved), b.dnormed, [](std::size_t) { return T(1); });
    });
  }
};

}}  // namespace ctlm
