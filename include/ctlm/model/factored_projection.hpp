// SPDX-License-Identifier: MIT
// ctlm: projections whose matrix is a product of thin ones, forward beside backward.
#pragma once

#include "projection.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// linear_layer of a factored matrix. project_residual adds the residual.
template <class M, class Context, class View, class N>
CTLM_NOINLINE constexpr void linear_layer(Context& c, const factored_matrix<View, N>& w, const typename M::real* bias,
                                          std::size_t rows, const typename M::real* x, const typename M::real*,
                                          typename M::real* y) {
  factored_linear(c.backend, *c.exec, rows, x, w, bias, y, c.linear, c.factored);
}

/// linear_layer_backward of a factored matrix: gradients of its factors go to dw.
template <class Context, class View, class N, class GView, class T>
CTLM_NOINLINE constexpr void linear_layer_backward(Context& c, const factored_matrix<View, N>& w,
                                                   const factored_matrix<GView, T>& dw, T* dbias, std::size_t rows,
                                                   const T* dy, const T* x, T* dx, bool accumulate) {
  factored_backward(c.backend, *c.exec, rows, dy, x, w, dw, dbias, dx, accumulate, c.linear, c.factored);
}

}}  // namespace ctlm
