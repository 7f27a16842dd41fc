// SPDX-License-Identifier: MIT
// ctlm: dot products of the rows of a with the rows of b, several at a time, so that each register that is loaded takes
// part in several sums.
#pragma once

#include "../portable/dot.hpp"
#include "widen.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// The dot products of Rows rows of a with Columns rows of b, of k numbers each. With `fetch`, the Columns rows of b
/// after these are prefetched.
template <std::size_t Rows, std::size_t Columns, class A, class T, class Left, class Right, std::size_t... S>
CTLM_INLINE void dot_tile(std::index_sequence<S...>, std::size_t k, const Left* a, std::size_t a_stride, const Right* b,
                          std::size_t b_stride, T* c, std::size_t ldc, bool accumulate, bool fetch) {
  using V = simd_batch<T, A>;
  constexpr std::size_t w = lanes<T, A>;
  V total[] = {(static_cast<void>(S), V(T(0)))...};
  std::size_t p = 0;
  for (; p + w <= k; p += w) {
    V x[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x[i] = load_as<T, A>(a + i * a_stride + p);
    for (std::size_t j = 0; j < Columns; ++j) {
      const V y = load_as<T, A>(b + j * b_stride + p);
      if (fetch) CTLM_PREFETCH_READ(b + (j + Columns) * b_stride + p);
      for (std::size_t i = 0; i < Rows; ++i) total[i * Columns + j] = xsimd::fma(x[i], y, total[i * Columns + j]);
    }
  }
  T sums[ceil_div(Rows * Columns, 4) * 4];
  many_sums<T, A>(std::index_sequence<S...>{}, total, sums);
  auto put = [&](std::size_t i, std::size_t j) CTLM_LAMBDA_INLINE {
    T sum = sums[i * Columns + j];
    for (std::size_t q = p; q < k; ++q)
      sum += static_cast<T>(a[i * a_stride + q]) * static_cast<T>(b[j * b_stride + q]);
    T& out = c[i * ldc + j];
    out = accumulate ? out + sum : sum;
  };
  (put(S / Columns, S % Columns), ...);
}

/// Takes so many rows at a time that all sums stay in registers, and that at least eight are computed side by side, if
/// there are so many: within one sum, each addition has to wait for the one before it.
template <class T, class A, class Left, class Right>
void dot_products(simd<A>, std::size_t m, std::size_t n, std::size_t k, const Left* a, std::size_t a_stride,
                  const Right* b, std::size_t b_stride, T* c, std::size_t ldc, bool accumulate) {
  constexpr std::size_t most_rows = vector_registers<A> == 32 ? 4 : 2;
  // When are the next rows of b prefetched? When these are read for a second time (i > 0): then they come from a cache,
  // and memory has nothing else to do. And where numbers take 2 bytes: such rows are so short that one has ended before
  // the processor notices by itself that they are read in order.
  constexpr bool narrow = sizeof(Right) == 2;
  auto tile = [&]<std::size_t Rows, std::size_t Columns>(std::integral_constant<std::size_t, Rows>,
                                                         std::integral_constant<std::size_t, Columns>, std::size_t i,
                                                         std::size_t j) {
    dot_tile<Rows, Columns, A>(std::make_index_sequence<Rows * Columns>{}, k, a + i * a_stride, a_stride,
                               b + j * b_stride, b_stride, c + i * ldc + j, ldc, accumulate,
                               (i > 0 || narrow) && j + 2 * Columns <= n);
  };
  constexpr std::integral_constant<std::size_t, 1> one;
  constexpr std::integral_constant<std::size_t, most_rows> most;
  auto all_rows = [&]<std::size_t Columns>(std::integral_constant<std::size_t, Columns> columns, std::size_t j) {
    std::size_t i = 0;
    for (; i + most_rows <= m; i += most_rows) tile(most, columns, i, j);
    for (; i < m; ++i) tile(one, columns, i, j);
  };
  std::size_t j = 0;
  for (; m == 1 && j + 8 <= n; j += 8) tile(one, std::integral_constant<std::size_t, 8>{}, 0, j);
  for (; j + 4 <= n; j += 4) all_rows(std::integral_constant<std::size_t, 4>{}, j);
  for (; j < n; ++j) all_rows(one, j);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
