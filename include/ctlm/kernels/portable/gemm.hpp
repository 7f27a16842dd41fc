// SPDX-License-Identifier: MIT
// ctlm: matrix product, portable.
#pragma once

#include "../../arch/portable.hpp"
#include "../../tensor/strided.hpp"

namespace ctlm::inline CTLM_ABI {

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
/// The sum over k runs in order for every element, so that splitting m or n among threads changes no bit.
template <class T, class Left, class Right>
constexpr void gemm(portable, std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b, T* c,
                    std::size_t ldc, bool accumulate, T* /*workspace*/) {
  constexpr std::size_t width = 8;  // independent sums in flight
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j0 = 0; j0 < n; j0 += width) {
      const std::size_t count = smaller(width, n - j0);
      T total[width]{};
      for (std::size_t p = 0; p < k; ++p) {
        const T x = a.data[i * a.row + p * a.col];
        const Right* y = b.data + p * b.row + j0 * b.col;
        if (count == width) {
          for (std::size_t j = 0; j < width; ++j) total[j] += x * y[j * b.col];
        } else {
          for (std::size_t j = 0; j < count; ++j) total[j] += x * y[j * b.col];
        }
      }
      T* out = c + i * ldc + j0;
      for (std::size_t j = 0; j < count; ++j) out[j] = accumulate ? out[j] + total[j] : total[j];
    }
  }
}

}  // namespace ctlm::inline CTLM_ABI
