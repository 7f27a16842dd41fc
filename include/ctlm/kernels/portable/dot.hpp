// SPDX-License-Identifier: MIT
// ctlm: one vector against a few rows of a matrix, portable.
#pragma once

#include "../../arch/portable.hpp"

namespace ctlm::inline CTLM_ABI {

/// y[r] = row r of w . x for r < rows; rows lie `stride` apart and have n numbers.
template <class T>
constexpr void dot_rows(portable, std::size_t rows, std::size_t n, const T* w, std::size_t stride, const T* x, T* y) {
  for (std::size_t r = 0; r < rows; ++r) {
    T total[4]{};
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4)
      for (std::size_t j = 0; j < 4; ++j) total[j] += w[r * stride + i + j] * x[i + j];
    for (; i < n; ++i) total[0] += w[r * stride + i] * x[i];
    y[r] = (total[0] + total[1]) + (total[2] + total[3]);
  }
}

}  // namespace ctlm::inline CTLM_ABI
