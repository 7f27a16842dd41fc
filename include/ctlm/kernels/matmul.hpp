// SPDX-License-Identifier: MIT
// ctlm: a matrix product shared among workers.
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm::inline CTLM_ABI {

/// Products below this many multiply-adds are not worth waking a thread for.
inline constexpr std::size_t parallel_threshold = 100'000;

/// c[m][n] = a[m][k] b[k][n] (+= where accumulate). `workspace` holds gemm_workspace<T>(arch) elements per worker.
/// Tiles of c are shared out; the sum over k is never split, so the thread count changes no bit.
template <class Arch, executor E, class T>
constexpr void matmul(Arch arch, E& exec, std::size_t m, std::size_t n, std::size_t k, strided<T> a, strided<T> b, T* c,
                      std::size_t ldc, bool accumulate, T* workspace) {
  if (exec.workers() == 1 || m * n * k < parallel_threshold)
    return gemm(arch, m, n, k, a, b, c, ldc, accumulate, workspace);
  const std::size_t panel = gemm_panel<T>(arch);
  const std::size_t across = ceil_div(n, panel);
  // Rows are cut once for each worker, so that what a worker made in one layer is what it reads in the next, and then
  // only where there are too few columns to go round: each cut packs b again.
  std::size_t down = m >= 24 * exec.workers() ? exec.workers() : 1;
  while (across * down < 4 * exec.workers() && m / (down + 1) >= 96) ++down;
  const std::size_t rows = round_up(ceil_div(m, down), 12);
  exec.run(across * down, [&](std::size_t task, std::size_t worker) {
    const std::size_t i = task / across * rows, j = task % across * panel;
    if (i >= m) return;
    gemm(arch, smaller(rows, m - i), smaller(panel, n - j), k, a.from(i, 0), b.from(0, j), c + i * ldc + j, ldc,
         accumulate, workspace + worker * gemm_workspace<T>(arch));
  });
}

}  // namespace ctlm::inline CTLM_ABI
