// SPDX-License-Identifier: MIT
// ctlm: linear layers of training over weights that stay as they are stored: rows of W are decoded some at a time, in
// both passes, and never all of them.
#pragma once

#include "../format/mixed.hpp"
#include "linear.hpp"
#include "low_rank.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows of W that are decoded at once: enough of them for a product that sums over them.
constexpr std::size_t decoded_tile(portable) { return 16; }
template <class Backend>
constexpr std::size_t decoded_tile(Backend) {
  return 64;
}

/// Scratch of the products of training over weights in format F.
template <class Backend, format F>
struct decoding_workspace {
  using real = typename F::compute;  ///< numbers of arithmetic

  real* panels = nullptr;        ///< [workers][panel_stride] workspace of any matrix product
  std::size_t panel_stride = 0;  ///< numbers of it for each worker
  real* tile = nullptr;          ///< [workers][tile_stride] rows of W
  std::size_t tile_stride = 0;   ///< numbers of them for each worker

  low_rank_scratch<real> low_rank{};  ///< of adapters beside the weights; placed by whoever has some

  /// Asks an arena for scratch of products whose extents are at most `widest`, over rows of at most max_inputs.
  template <class A>
  static constexpr decoding_workspace place(A& a, std::size_t widest, std::size_t max_inputs, std::size_t workers) {
    decoding_workspace ws;
    ws.panel_stride = gemm_workspace<real>(Backend{}, widest, widest, widest);
    ws.panels = a.template allocate<real>(workers * ws.panel_stride);
    ws.tile_stride = (native_format<F> ? 1 : decoded_tile(Backend{})) * max_inputs;
    ws.tile = a.template allocate<real>(workers * ws.tile_stride);
    ws.low_rank.panels = ws.panels;
    ws.low_rank.panel_stride = ws.panel_stride;
    return ws;
  }
  /// The same scratch as linear() takes it, for weights in format G.
  template <format G>
  constexpr linear_workspace<Backend, G, decoded> of() const {
    linear_workspace<Backend, G, decoded> ws;
    ws.panels = panels;
    ws.panel_stride = panel_stride;
    ws.decoded = tile;
    ws.decoded_stride = tile_stride;
    ws.decoded_rows = decoded_tile(Backend{});
    return ws;
  }
};

/// f(view in one format) of a matrix whose format may be one of several.
template <matrix_view W, class Visit>
constexpr void in_own_format(const W& w, Visit&& f) {
  if constexpr (mixed_format<typename W::format>)
    w.visit(f);
  else
    f(w);
}

/// y[m][n] = x[m][k] W^T + terms.
template <class Backend, executor E, class T, matrix_view W, format F>
constexpr void linear(Backend backend, E& exec, std::size_t m, const T* x, const W& w, const linear_terms<T>& terms,
                      T* y, decoding_workspace<Backend, F>& ws) {
  in_own_format(w, [&](const auto& one) {
    auto scratch = ws.template of<typename std::remove_cvref_t<decltype(one)>::format>();
    linear(backend, exec, m, x, one, terms, y, scratch);
  });
}

/// Rows of dx, of m, that one task computes: at most 512 and, where there are more workers, fewer, but never so few
/// that a product would dot them (16 at most), which rounds in another way.
constexpr std::size_t decoded_piece(std::size_t m, std::size_t workers) {
  const std::size_t parts = larger(ceil_div(m, 512), smaller(workers, m / 32));
  if (parts <= 1) return larger(1, m);
  std::size_t piece = round_up(ceil_div(m, parts), 16);
  while (m % piece != 0 && m % piece <= 16) piece += 16;
  return piece;
}

/// dx[m][k] = dy[m][n] W (or += where accumulate), for integer codes. Each task has some rows of dx, for which it
/// decodes all of W: the sums, over tiles of W in their order, do not depend on the number of threads.
template <class Backend, executor E, class T, matrix_view W, format F>
CTLM_NOINLINE constexpr void decoded_backward_input(Backend backend, E& exec, std::size_t m, const T* dy, const W& w,
                                                    T* dx, bool accumulate, decoding_workspace<Backend, F>& ws) {
  const std::size_t n = w.rows, k = w.cols, tile = decoded_tile(backend);
  const std::size_t piece = decoded_piece(m, exec.workers());
  parallel_for(exec, m, piece, [&](std::size_t first, std::size_t count, std::size_t worker) {
    T* const rows = ws.tile + worker * ws.tile_stride;
    for (std::size_t j = 0; j < n; j += tile) {
      const std::size_t size = smaller(tile, n - j);
      decode_rows(backend, typename W::format{}, w, j, size, rows);
      gemm(backend, count, k, size, row_major(dy + first * n + j, n), row_major(static_cast<const T*>(rows), k),
           dx + first * k, k, accumulate || j > 0, ws.panels + worker * ws.panel_stride);
    }
  });
}

/// dx[m][k] = dy[m][n] W (or += where accumulate), for weights in any format.
template <class Backend, executor E, class T, matrix_view W, format F>
constexpr void linear_backward_input(Backend backend, E& exec, std::size_t m, const T* dy, const W& w, T* dx,
                                     bool accumulate, decoding_workspace<Backend, F>& ws) {
  in_own_format(w, [&](const auto& one) {
    using G = typename std::remove_cvref_t<decltype(one)>::format;
    if constexpr (plain_format<G>) {
      matmul(backend, exec, m, one.cols, one.rows, row_major(dy, one.rows), row_major(one.data, one.cols), dx, one.cols,
             accumulate, ws.panels, ws.panel_stride);
    } else {
      decoded_backward_input(backend, exec, m, dy, one, dx, accumulate, ws);
    }
  });
}

}}  // namespace ctlm
