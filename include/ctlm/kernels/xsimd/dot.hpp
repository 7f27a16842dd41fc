// SPDX-License-Identifier: MIT
// ctlm: one vector against rows of a matrix: each load of x serves four rows.
#pragma once

#include "../../arch/xsimd.hpp"
#include "../portable/dot.hpp"

#include <utility>

namespace ctlm::inline CTLM_ABI {

template <std::size_t Rows, class T, class A, std::size_t... R>
CTLM_INLINE void dot_block(std::index_sequence<R...>, std::size_t n, const T* w, std::size_t stride, const T* x, T* y) {
  using V = simd_batch<T, A>;
  constexpr std::size_t width = lanes<T, A>;
  V total[Rows] = {(static_cast<void>(R), V(T(0)))...};
  std::size_t i = 0;
  for (; i + width <= n; i += width) {
    const V v = V::load_unaligned(x + i);
    ((total[R] = xsimd::fma(V::load_unaligned(w + R * stride + i), v, total[R])), ...);
  }
  ((y[R] = reduce_sum<T, A>(total[R])), ...);
  for (; i < n; ++i) ((y[R] += w[R * stride + i] * x[i]), ...);
}

template <class T, class A>
void dot_rows(simd<A>, std::size_t rows, std::size_t n, const T* w, std::size_t stride, const T* x, T* y) {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) dot_block<4, T, A>(std::make_index_sequence<4>{}, n, w + r * stride, stride, x, y + r);
  for (; r < rows; ++r) dot_block<1, T, A>(std::make_index_sequence<1>{}, n, w + r * stride, stride, x, y + r);
}

}  // namespace ctlm::inline CTLM_ABI
