// SPDX-License-Identifier: MIT
// ctlm: projections with an adapter beside their matrix: y = x W^T + scale (x A^T) B^T, forward beside backward. With
// gains (DoRA: Liu et al. 2024) the rows of W + scale B A are multiplied by them.
#pragma once

#include "../kernels/chosen.hpp"
#include "../kernels/linear_decoded.hpp"
#include "../kernels/low_rank.hpp"
#include "projection.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A matrix of one layer with its adapter: what matrix_of<id>(layer) of adapted weights is.
template <matrix_view Base, class T>
struct adapted_matrix {
  Base base{};                 ///< W, in whichever format
  low_rank_pair<T> adapter{};  ///< A and B; adapter.a is nullptr where this layer has none
};

namespace adapted_detail {

/// s.summed = x (W + scale B A)^T.
template <class Context, class Base, class T>
constexpr void sum_up(Context& c, const adapted_matrix<Base, T>& w, std::size_t rows, const T* x) {
  const low_rank_scratch<T>& s = c.linear.low_rank;
  linear(c.backend, *c.exec, rows, x, w.base, linear_terms<T>{}, s.summed, c.linear);
  add_low_rank(c.backend, *c.exec, rows, w.base.rows, w.base.cols, x, w.adapter, s.summed, s);
}

/// y [rows][n] = factor of each column times x.
template <class Context, class T>
constexpr void scale_columns(Context& c, std::size_t rows, std::size_t n, const T* factors, const T* x, T* y) {
  parallel_for(*c.exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i)
      elementwise(
          c.backend, n, [](auto& to, const auto& from, const auto& factor) { to = from * factor; }, y + i * n,
          x + i * n, factors);
  });
}

}  // namespace adapted_detail

/// linear_layer of an adapted matrix.
template <class M, class Context, class Base>
CTLM_NOINLINE constexpr void linear_layer(Context& c, const adapted_matrix<Base, typename M::real>& w,
                                          const typename M::real* bias, std::size_t rows, const typename M::real* x,
                                          const typename M::real* residual, typename M::real* y) {
  using T = typename M::real;
  const linear_terms<T> terms{bias, residual};
  const std::size_t n = w.base.rows;
  if (w.adapter.a == nullptr) {
    linear(c.backend, *c.exec, rows, x, w.base, terms, y, c.linear);
  } else if (w.adapter.gains == nullptr) {
    linear(c.backend, *c.exec, rows, x, w.base, terms, y, c.linear);
    add_low_rank(c.backend, *c.exec, rows, n, w.base.cols, x, w.adapter, y, c.linear.low_rank);
  } else {
    T* const summed = c.linear.low_rank.summed;
    adapted_detail::sum_up(c, w, rows, x);
    adapted_detail::scale_columns(c, rows, n, w.adapter.gains, static_cast<const T*>(summed), summed);
    parallel_for(*c.exec, rows * n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
      const bool adds = residual == y;
      for (std::size_t i = first; i < first + count; ++i) y[i] = adds ? y[i] + summed[i] : summed[i];
    });
    terms.add(c.backend, n, 0, rows, 0, n, y);
  }
}

/// linear_layer_backward of an adapted matrix, whose W does not learn: gradients of A and B go to dw, those of the bias
/// are added to dbias unless it is nullptr, dx, which may be x itself, is written.
template <class Context, class Base, class T>
CTLM_NOINLINE constexpr void linear_layer_backward(Context& c, const adapted_matrix<Base, T>& w,
                                                   const low_rank_gradients<T>& dw, T* dbias, std::size_t rows,
                                                   const T* dy, const T* x, T* dx, bool accumulate) {
  const std::size_t n = w.base.rows, k = w.base.cols;
  const low_rank_scratch<T>& s = c.linear.low_rank;
  if (dbias != nullptr) add_columns(c.backend, *c.exec, rows, n, dy, dbias);
  const T* dsum = dy;
  if (w.adapter.a != nullptr) {
    if (w.adapter.gains != nullptr) {
      adapted_detail::sum_up(c, w, rows, x);
      magnitude_backward(c.backend, *c.exec, rows, n, dy, w.adapter, dw, s);
      adapted_detail::scale_columns(c, rows, n, w.adapter.gains, dy, s.summed);
      dsum = s.summed;
    }
    low_rank_backward_weight(c.backend, *c.exec, rows, n, k, dsum, x, w.adapter, dw, accumulate, s);
  }
  linear_backward_input(c.backend, *c.exec, rows, dsum, w.base, dx, false, c.linear);
  if (w.adapter.a != nullptr) low_rank_backward_input(c.backend, *c.exec, rows, k, w.adapter, dx, s);
}

}}  // namespace ctlm
