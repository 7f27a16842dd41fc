// SPDX-License-Identifier: MIT
// ctlm: linear layers whose matrix is a product of thin ones, y = d o (((x V^T) o s) U^T) + bias, forward and backward.
// Ranks are run-time extents: the first `rank` columns of U and rows of V count.
#pragma once

#include "../format/factored.hpp"
#include "linear_mixed.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scratch of these layers, for up to m rows.
template <class T>
struct factored_scratch {
  T* hidden = nullptr;   ///< [m][rank] x V^T
  T* dhidden = nullptr;  ///< [m][rank] its gradient; of training alone
  T* thin = nullptr;     ///< [n][rank] dy^T (x V^T), then diag(d) U; of training alone

  /// Asks an arena for it; outputs are those of the longest row of y, or 0 where there is no backward pass.
  template <class A>
  static constexpr factored_scratch place(A& a, std::size_t m, std::size_t rank, std::size_t outputs) {
    factored_scratch s;
    s.hidden = a.template allocate<T>(m * rank);
    if (outputs == 0) return s;
    s.dhidden = a.template allocate<T>(m * rank);
    s.thin = a.template allocate<T>(outputs * rank);
    return s;
  }
};
/// In its place where no matrix is factored.
struct no_factored_scratch {};

namespace factored_detail {

/// y[rows][columns] = factors of the columns times y, plus bias unless it is nullptr; rows of y lie n apart.
template <class Backend, class T, class Factor>
constexpr void scale_and_add(Backend backend, std::size_t n, std::size_t rows, std::size_t columns, Factor* factors,
                             const T* bias, T* y) {
  for (std::size_t i = 0; i < rows; ++i) {
    T* const out = y + i * n;
    if (bias == nullptr)
      elementwise(
          backend, columns, [](auto& v, const auto& f) { v = v * f; }, out, static_cast<const T*>(factors));
    else
      elementwise(
          backend, columns, [](auto& v, const auto& f, const auto& b) { v = v * f + b; }, out,
          static_cast<const T*>(factors), bias);
  }
}

/// y[m][n] = factors o (x W^T) + bias for the first n rows and k columns of W.
template <class Backend, executor E, class T, class View, class Factor, class Workspace>
constexpr void scaled_product(Backend backend, E& exec, std::size_t m, std::size_t n, std::size_t k, const T* x,
                              const View& w, Factor* factors, const T* bias, T* y, Workspace& ws) {
  if constexpr (plain_format<typename View::format>) {
    matmul(backend, exec, m, n, k, row_major(x, k), row_major(w.data, w.cols).transposed(), y, n, false, ws.panels,
           ws.panel_stride, [&](std::size_t row, std::size_t rows, std::size_t column, std::size_t columns) {
             scale_and_add(backend, n, rows, columns, factors + column, bias == nullptr ? bias : bias + column,
                           y + row * n + column);
           });
  } else {
    linear(backend, exec, m, x, w, linear_terms<T>{}, y, ws);
    parallel_for(exec, m, larger(1, 16384 / n), [&](std::size_t first, std::size_t count, std::size_t) {
      scale_and_add(backend, n, count, n, factors, bias, y + first * n);
    });
  }
}

/// h[m][rank] = x V^T.
template <class Backend, executor E, class T, class View, class N, class Workspace>
constexpr void go_down(Backend backend, E& exec, std::size_t m, const T* x, const factored_matrix<View, N>& w, T* h,
                       Workspace& ws) {
  matmul(backend, exec, m, w.rank, w.v.cols, row_major(x, w.v.cols), row_major(w.v.data, w.v.cols).transposed(), h,
         w.rank, false, ws.panels, ws.panel_stride);
}

/// Numbers [first, first + n) of row `row` of a matrix: where they lie, or decoded to `buffer`.
template <class View, class T>
constexpr const T* numbers_of(const View& w, std::size_t row, std::size_t first, std::size_t n, T* buffer) {
  if constexpr (native_format<typename View::format>) {
    return w.data + row * w.cols + first;
  } else {
    View::format::decode(w, row, first, n, buffer);
    return buffer;
  }
}

/// From thin = dy^T (x V^T), the gradients of row j of U and of d[j]; thin's row becomes d[j] U's.
template <class Backend, class T, class View, class N, class GView>
constexpr void row_backward(Backend backend, std::size_t j, const factored_matrix<View, N>& w,
                            const factored_matrix<GView, T>& g, bool accumulate, T* thin) {
  constexpr std::size_t piece = 64;
  T buffer[piece]{};
  const T factor = w.d[j];
  T total = 0;
  for (std::size_t at = 0; at < w.rank; at += piece) {
    const std::size_t n = smaller(piece, w.rank - at);
    const T* const u = numbers_of(w.u, j, at, n, buffer);
    const T* const s = w.s + at;
    T* const du = g.u.data + j * g.u.cols + at;
    total += sum(
        backend, n,
        [](auto& p, const auto& scale, const auto& x) {
          p = p * scale;
          return p * x;
        },
        thin + at, s, u);
    if (accumulate)
      elementwise(
          backend, n, [=](auto& out, const auto& p) { out += p * factor; }, du, static_cast<const T*>(thin) + at);
    else
      elementwise(
          backend, n, [=](auto& out, const auto& p) { out = p * factor; }, du, static_cast<const T*>(thin) + at);
    elementwise(
        backend, n, [=](auto& out, const auto& x) { out = x * factor; }, thin + at, u);
  }
  g.d[j] += total;
  if (!accumulate)
    for (std::size_t at = w.rank; at < g.u.cols; ++at) g.u.data[j * g.u.cols + at] = 0;
}

}  // namespace factored_detail

/// y[m][n] = x[m][k] W^T + bias for a factored W; bias may be nullptr.
template <class Backend, executor E, class T, class View, class N, class Workspace>
constexpr void factored_linear(Backend backend, E& exec, std::size_t m, const T* x, const factored_matrix<View, N>& w,
                               const T* bias, T* y, Workspace& ws, const factored_scratch<T>& s) {
  using namespace factored_detail;
  scaled_product(backend, exec, m, w.rank, w.v.cols, x, w.v, w.s, static_cast<const T*>(nullptr), s.hidden, ws);
  scaled_product(backend, exec, m, w.u.rows, w.rank, static_cast<const T*>(s.hidden), w.u, w.d, bias, y, ws);
}

/// The gradients of U and V (added to g where `accumulate`, written otherwise, with zeros for what does not count), of
/// s and d (added), of the bias (added unless it is nullptr), and of x, to dx, which may be x itself. With P = dy^T (x
/// V^T): dU = d o P o s, dd = sums over the rows of U o P o s; with q = dy (d o U): ds = sums over the columns of (x
/// V^T) o q, dV = (q o s)^T x, dx = (q o s) V.
template <class Backend, executor E, class T, class View, class N, class GView, class Workspace>
constexpr void factored_backward(Backend backend, E& exec, std::size_t m, const T* dy, const T* x,
                                 const factored_matrix<View, N>& w, const factored_matrix<GView, T>& g, T* dbias, T* dx,
                                 bool accumulate, Workspace& ws, const factored_scratch<T>& s) {
  using namespace factored_detail;
  const std::size_t n = w.u.rows, k = w.v.cols, r = w.rank;
  go_down(backend, exec, m, x, w, s.hidden, ws);
  matmul(backend, exec, n, r, m, row_major(dy, n).transposed(), row_major(static_cast<const T*>(s.hidden), r), s.thin,
         r, false, ws.panels, ws.panel_stride);
  parallel_for(exec, n, larger(1, 16384 / r), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t j = first; j < first + count; ++j) row_backward(backend, j, w, g, accumulate, s.thin + j * r);
  });
  matmul(backend, exec, m, r, n, row_major(dy, n), row_major(static_cast<const T*>(s.thin), r), s.dhidden, r, false,
         ws.panels, ws.panel_stride);
  parallel_for(exec, r, 64, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = 0; i < m; ++i)
      elementwise(
          backend, count,
          [](auto& ds, auto& q, const auto& h, const auto& scale) {
            ds += q * h;
            q = q * scale;
          },
          g.s + first, s.dhidden + i * r + first, static_cast<const T*>(s.hidden) + i * r + first,
          static_cast<const T*>(w.s) + first);
  });
  matmul(backend, exec, r, k, m, row_major(static_cast<const T*>(s.dhidden), r).transposed(), row_major(x, k), g.v.data,
         k, accumulate, ws.panels, ws.panel_stride);
  if (!accumulate)
    for (std::size_t i = r * k; i < g.v.rows * k; ++i) g.v.data[i] = 0;
  matmul(backend, exec, m, k, r, row_major(static_cast<const T*>(s.dhidden), r), row_major(w.v.data, k), dx, k, false,
         ws.panels, ws.panel_stride);
  if (dbias == nullptr) return;
  parallel_for(exec, n, 256, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = 0; i < m; ++i)
      elementwise(
          backend, count, [](auto& total, const auto& d) { total += d; }, dbias + first, dy + i * n + first);
  });
}

}}  // namespace ctlm
