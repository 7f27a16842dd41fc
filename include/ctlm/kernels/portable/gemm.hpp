// SPDX-License-Identifier: MIT
// ctlm: matrix product, portable.
#pragma once

#include "../../backend/portable.hpp"
#include "../../tensor/strided.hpp"
#include "dot.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Columns of b that are worked through together, and elements of workspace that one worker needs for products of up to
/// `rows` rows and `columns` columns that sum over up to `depth`.
template <class T>
constexpr std::size_t gemm_panel(portable) {
  return 32;
}
template <class T>
constexpr std::size_t gemm_workspace(portable, std::size_t /*rows*/, std::size_t /*columns*/, std::size_t /*depth*/) {
  return 0;
}

/// c[m][n] = a[m][k] b[k][n], or += where accumulate is set. Rows of c lie ldc elements apart. Operands may be stored
/// in 16 bits each (format/float16.hpp), whatever the other is.
/// No sum over k depends on m or n, so that splitting them among threads changes no bit.
template <class T, class Left, class Right>
CTLM_NOINLINE constexpr void gemm(portable backend, std::size_t m, std::size_t n, std::size_t k, strided<Left> a,
                                  strided<Right> b, T* c, std::size_t ldc, bool accumulate, T* /*workspace*/) {
  constexpr std::size_t few_rows = 3, width = 8, depth = 32;
  if (m <= few_rows && a.col == 1 && b.row == 1)
    return dot_products(backend, m, n, k, a.data, a.row, b.data, b.col, c, ldc, accumulate);
  for (std::size_t j0 = 0; j0 < n; j0 += width) {
    const std::size_t columns = smaller(width, n - j0);
    for (std::size_t p0 = 0; p0 < k; p0 += depth) {
      const std::size_t count = smaller(depth, k - p0);
      T panel[depth * width]{};  // what all rows read, side by side and widened
      for (std::size_t p = 0; p < count; ++p)
        for (std::size_t j = 0; j < columns; ++j) panel[p * width + j] = b.data[(p0 + p) * b.row + (j0 + j) * b.col];
      for (std::size_t i = 0; i < m; ++i) {
        T total[width]{};
        for (std::size_t p = 0; p < count; ++p) {
          const T x = a.data[i * a.row + (p0 + p) * a.col];
          CTLM_UNROLL
          for (std::size_t j = 0; j < width; ++j) total[j] += x * panel[p * width + j];
        }
        T* out = c + i * ldc + j0;
        for (std::size_t j = 0; j < columns; ++j) out[j] = accumulate || p0 > 0 ? out[j] + total[j] : total[j];
      }
    }
  }
}

}}  // namespace ctlm
