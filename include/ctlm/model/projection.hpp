// SPDX-License-Identifier: MIT
// ctlm: a block's only doors to its matrices, forward and backward: what a matrix is (dense, quantised, ...) is known
// to the linear layers that its view chooses, and to nobody here.
#pragma once

#include "../kernels/chosen.hpp"
#include "residual_norm.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// No dropout: inference.
struct no_dropout {
  /// False: nothing is dropped.
  static constexpr bool active() { return false; }
};

/// y = x W^T + bias + residual, where bias, residual or both may be nullptr. Never inlined: its code exists once for
/// each kind of matrix, even where a compiler would unroll the loop over the layers.
template <class M, class Context, matrix_view W>
CTLM_NOINLINE constexpr void linear_layer(Context& c, const W& w, const typename M::real* bias, std::size_t rows,
                                          const typename M::real* x, const typename M::real* residual,
                                          typename M::real* y) {
  linear(c.backend, *c.exec, rows, x, w, linear_terms<typename M::real>{bias, residual}, y, c.linear);
}

/// One projection of a block: the door to its matrix, whose view may be of any kind (matrix_of<weight>).
template <class M, tensor_id weight, tensor_id bias, class Context, class W>
constexpr void project(Context& c, const W& w, std::size_t layer, std::size_t rows, const typename M::real* x,
                       const typename M::real* residual, typename M::real* y) {
  linear_layer<M>(c, w.template matrix_of<weight>(layer), w.vector_of(bias, layer), rows, x, residual, y);
}

/// y = residual + branch, with dropout on the branch.
template <class M, class Context, class Dropout>
CTLM_NOINLINE constexpr void add_branch(Context& c, std::size_t rows, const typename M::real* residual,
                                        typename M::real* branch, typename M::real* y, const Dropout& dropout) {
  using T = typename M::real;
  parallel_for(*c.exec, rows * M::shape.d_model, 16384, [&](std::size_t first, std::size_t n, std::size_t) {
    if constexpr (!std::same_as<Dropout, no_dropout>)
      if (dropout.active()) apply_dropout(dropout, n, branch + first, first);
    auto add = [](auto& to, const auto& from, const auto& added) { to = from + added; };
    elementwise(c.backend, n, add, y + first, residual + first, static_cast<const T*>(branch) + first);
  });
}

/// y = residual + after(the projection of x), with dropout on what is added. `after` is the residual_norm of a model
/// with post_norms; of others it does nothing.
template <class M, tensor_id weight, tensor_id bias, class Context, class W, class Dropout, class After>
constexpr void project_residual(Context& c, const W& w, std::size_t layer, std::size_t rows, const typename M::real* x,
                                const typename M::real* residual, typename M::real* y, const Dropout& dropout,
                                typename M::real* scratch, const After& after) {
  constexpr bool in_factors = is_factored_matrix<decltype(w.template matrix_of<weight>(layer))>;
  if constexpr (After::present) {
    project<M, weight, bias>(c, w, layer, rows, x, nullptr, after.branch);
    after.apply(c, rows, scratch);
    add_branch<M>(c, rows, residual, scratch, y, dropout);
  } else if constexpr (in_factors) {
    project<M, weight, bias>(c, w, layer, rows, x, nullptr, scratch);
    add_branch<M>(c, rows, residual, scratch, y, dropout);
  } else {
    if (!dropout.active()) return project<M, weight, bias>(c, w, layer, rows, x, residual, y);
    if constexpr (!std::same_as<Dropout, no_dropout>) {
      project<M, weight, bias>(c, w, layer, rows, x, nullptr, scratch);
      add_branch<M>(c, rows, residual, scratch, y, dropout);
    }
  }
}

/// The gradient that reaches a sublayer through its dropout: dx itself where there is none.
template <class Context, class T>
CTLM_NOINLINE constexpr const T* through_dropout(Context& c, const dropout_mask& mask, std::size_t n, const T* dx,
                                                 T* scratch) {
  if (!mask.active()) return dx;
  elementwise(
      c.backend, n, [](auto& to, const auto& from) { to = from; }, scratch, dx);
  parallel_for(*c.exec, n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    apply_dropout(mask, count, scratch + first, first);
  });
  return scratch;
}

/// The backward pass of linear_layer, never inlined either: dw is added to where `accumulate` and written otherwise,
/// dbias is added to unless it is nullptr, dx is written.
template <class Context, matrix_view W, matrix_view G, class T, class Input>
CTLM_NOINLINE constexpr void linear_layer_backward(Context& c, const W& w, const G& dw, T* dbias, std::size_t rows,
                                                   const T* dy, const Input* x, T* dx, bool accumulate) {
  linear_backward_weight(c.backend, *c.exec, rows, dy, x, dw, accumulate, dbias, c.linear);
  linear_backward_input(c.backend, *c.exec, rows, dy, w, dx, false, c.linear);
}

/// Whether the gradients G of model M are those of whole matrices, whose products take rounded numbers as they are.
template <class M, class G>
inline constexpr bool takes_rounded_rows = !learns_in_part<G> && !M::shape.is_factored();

/// The gradients of a projection: of its weights, to g, and of its input, to dx.
template <class M, tensor_id weight, tensor_id bias, class Context, class W, class G, class T, class Input>
constexpr void project_backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows, const T* dy,
                                const Input* x, T* dx, bool accumulate) {
  linear_layer_backward(c, w.template matrix_of<weight>(layer), g.template matrix_of<weight>(layer),
                        gradient_place(g.vector_of(bias, layer)), rows, dy, x, dx, accumulate);
}

}}  // namespace ctlm
