// SPDX-License-Identifier: MIT
// ctlm: products of operands that are rounded to 16 bits (Micikevicius et al. 2018, "Mixed Precision Training"), for
// every machine: portable loops, and the kernels of other backends over numbers that are rounded when they are read.
#pragma once

#include "../../backend/products_in.hpp"
#include "gemm.hpp"
#include "rounded.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The same matrix, whose numbers are rounded when they are read.
template <class F, class S>
strided<rounded_number<F, S>> rounded_view(strided<S> x) {
  static_assert(sizeof(rounded_number<F, S>) == sizeof(S));
  return {reinterpret_cast<const rounded_number<F, S>*>(x.data), x.row, x.col};
}

template <class T, class B, class F>
constexpr std::size_t gemm_panel(products_in<B, F>) {
  return gemm_panel<T>(B{});
}
template <class T, class B, class F>
constexpr std::size_t gemm_workspace(products_in<B, F>, std::size_t rows, std::size_t columns, std::size_t depth) {
  return gemm_workspace<T>(B{}, rows, columns, depth);
}

/// As gemm(portable, ...), of rounded operands. This is what the others are held against.
template <class T, class F, class Left, class Right>
CTLM_NOINLINE constexpr void gemm(products_in<portable, F>, std::size_t m, std::size_t n, std::size_t k,
                                  strided<Left> a, strided<Right> b, T* c, std::size_t ldc, bool accumulate,
                                  T* /*workspace*/) {
  constexpr std::size_t width = 8, depth = 32;
  for (std::size_t j0 = 0; j0 < n; j0 += width) {
    const std::size_t columns = smaller(width, n - j0);
    for (std::size_t p0 = 0; p0 < k; p0 += depth) {
      const std::size_t count = smaller(depth, k - p0);
      T panel[depth * width]{};
      for (std::size_t p = 0; p < count; ++p)
        for (std::size_t j = 0; j < columns; ++j)
          panel[p * width + j] = rounded_to<F>(b.data[(p0 + p) * b.row + (j0 + j) * b.col]);
      for (std::size_t i = 0; i < m; ++i) {
        T total[width]{};
        for (std::size_t p = 0; p < count; ++p) {
          const T x = rounded_to<F>(a.data[i * a.row + (p0 + p) * a.col]);
          CTLM_UNROLL
          for (std::size_t j = 0; j < width; ++j) total[j] += x * panel[p * width + j];
        }
        T* out = c + i * ldc + j0;
        for (std::size_t j = 0; j < columns; ++j) out[j] = accumulate || p0 > 0 ? out[j] + total[j] : total[j];
      }
    }
  }
}
template <class T, class F, class Left, class Right>
constexpr void dot_products(products_in<portable, F>, std::size_t m, std::size_t n, std::size_t k, const Left* a,
                            std::size_t a_stride, const Right* b, std::size_t b_stride, T* c, std::size_t ldc,
                            bool accumulate) {
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      T sum = 0;
      for (std::size_t p = 0; p < k; ++p)
        sum += rounded_to<F>(a[i * a_stride + p]) * rounded_to<F>(b[j * b_stride + p]);
      c[i * ldc + j] = accumulate ? c[i * ldc + j] + sum : sum;
    }
}

/// The kernels of B, which round each number when they load it.
template <class T, class B, class F, class Left, class Right>
void gemm(products_in<B, F>, std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b, T* c,
          std::size_t ldc, bool accumulate, T* workspace) {
  gemm(B{}, m, n, k, rounded_view<F>(a), rounded_view<F>(b), c, ldc, accumulate, workspace);
}
template <class T, class B, class F, class Left, class Right>
void dot_products(products_in<B, F>, std::size_t m, std::size_t n, std::size_t k, const Left* a, std::size_t a_stride,
                  const Right* b, std::size_t b_stride, T* c, std::size_t ldc, bool accumulate) {
  dot_products(B{}, m, n, k, rounded_view<F>(row_major(a, a_stride)).data, a_stride,
               rounded_view<F>(row_major(b, b_stride)).data, b_stride, c, ldc, accumulate);
}

}}  // namespace ctlm
