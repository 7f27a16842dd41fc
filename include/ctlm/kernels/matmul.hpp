// SPDX-License-Identifier: MIT
// ctlm: a matrix product shared among workers.
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Products below this many multiply-adds are not worth waking a thread for.
inline constexpr std::size_t parallel_threshold = 100'000;

/// Rows and columns of c that one task computes: c is halved, mostly across its longer side, until there are about as
/// many pieces as `tasks`. Each task packs what it reads of both operands: large pieces that are about as high as wide
/// pack least.
struct product_pieces {
  std::size_t rows, columns;

  constexpr product_pieces(std::size_t m, std::size_t n, std::size_t panel, std::size_t tasks) : rows(m), columns(n) {
    for (; tasks > 1; tasks /= 2) {
      const std::size_t lower = round_up(ceil_div(rows, 2), 4), narrower = round_up(ceil_div(columns, 2), panel);
      if (rows > columns && rows >= 96)
        rows = lower;
      else if (narrower < columns)
        columns = narrower;
      else
        break;
    }
    // gemm would dot a last piece of few rows, and round it in another way.
    while (m % rows != 0 && m % rows <= 16) rows += 4;
  }
};

/// Pieces of c for each worker: more than one, so that a worker that is disturbed may do less.
constexpr std::size_t pieces_per_worker(portable, std::size_t) { return 2; }

/// c[m][n] = a[m][k] b[k][n] (+= where accumulate). `workspace` holds `stride` elements for each worker, which are at
/// least gemm_workspace<T>(backend, m, n, k). Pieces of c are shared out; the sum over k is never split, so the thread
/// count changes no bit. finish(row, rows, column, columns) follows each piece while a cache still holds it.
template <class Backend, executor E, class T, class Left, class Right, class Finish>
constexpr void matmul(Backend backend, E& exec, std::size_t m, std::size_t n, std::size_t k, strided<Left> a,
                      strided<Right> b, T* c, std::size_t ldc, bool accumulate, T* workspace, std::size_t stride,
                      Finish finish) {
  if (exec.workers() == 1 || m * n * k < parallel_threshold) {
    gemm(backend, m, n, k, a, b, c, ldc, accumulate, workspace);
    return finish(std::size_t{0}, m, std::size_t{0}, n);
  }
  const product_pieces piece(m, n, gemm_panel<T>(backend), pieces_per_worker(backend, exec.workers()) * exec.workers());
  const std::size_t across = ceil_div(n, piece.columns);
  exec.run(across * ceil_div(m, piece.rows), [&](std::size_t task, std::size_t worker) {
    const std::size_t i = task / across * piece.rows, j = task % across * piece.columns;
    const std::size_t rows = smaller(piece.rows, m - i), columns = smaller(piece.columns, n - j);
    gemm(backend, rows, columns, k, a.from(i, 0), b.from(0, j), c + i * ldc + j, ldc, accumulate,
         workspace + worker * stride);
    finish(i, rows, j, columns);
  });
}
template <class Backend, executor E, class T, class Left, class Right>
constexpr void matmul(Backend backend, E& exec, std::size_t m, std::size_t n, std::size_t k, strided<Left> a,
                      strided<Right> b, T* c, std::size_t ldc, bool accumulate, T* workspace, std::size_t stride) {
  matmul(backend, exec, m, n, k, a, b, c, ldc, accumulate, workspace, stride,
         [](std::size_t, std::size_t, std::size_t, std::size_t) {});
}

}}  // namespace ctlm
