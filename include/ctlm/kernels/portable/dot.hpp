// SPDX-License-Identifier: MIT
// ctlm: products of few rows, portable: both operands are read along their rows.
#pragma once

#include "../../backend/portable.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// c[i][j] = a[i] . b[j] (+= where accumulate) for m rows of a and n of b, of k numbers each.
template <class T, class Left, class Right>
constexpr void dot_products(portable, std::size_t m, std::size_t n, std::size_t k, const Left* a, std::size_t a_stride,
                            const Right* b, std::size_t b_stride, T* c, std::size_t ldc, bool accumulate) {
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      const Left* x = a + i * a_stride;
      const Right* y = b + j * b_stride;
      T total[4]{};
      for (std::size_t p = 0; p < k / 4 * 4; p += 4) {
        CTLM_UNROLL
        for (std::size_t q = 0; q < 4; ++q) total[q] += x[p + q] * y[p + q];
      }
      for (std::size_t p = k / 4 * 4; p < k; ++p) total[0] += x[p] * y[p];
      const T sum = (total[0] + total[1]) + (total[2] + total[3]);
      c[i * ldc + j] = accumulate ? c[i * ldc + j] + sum : sum;
    }
}

}}  // namespace ctlm
