// SPDX-License-Identifier: MIT
// ctlm: the backend whose large matrix products come from a BLAS library; link one, and write backend<blas>.
//
// Not part of <ctlm/ctlm.hpp>. The program's threads share products out themselves: tell the library to use one, or
// give the model serial and the library all. Bits may differ with the number of threads, which they never do without a
// BLAS.
#pragma once

#include "primitives.hpp"

extern "C" {
// The Fortran interface, which every BLAS has.
void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*,
            const float*, const int*, const float*, float*, const int*);
void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*, const double*, const int*,
            const double*, const int*, const double*, double*, const int*);
}

namespace ctlm { inline namespace CTLM_ABI {

struct blas : native {
  static constexpr const char* name = "blas";
};

/// The library computes large products of operands whose rows or columns lie one after the other; `native` computes the
/// others, for which `workspace` is.
template <std::floating_point T>
void gemm(blas, std::size_t m, std::size_t n, std::size_t k, strided<T> a, strided<T> b, T* c, std::size_t ldc,
          bool accumulate, T* workspace) {
  constexpr std::size_t worthwhile = 32 * 32 * 32, most = 0x7fffffff;
  const auto stride = [](const strided<T>& s) { return s.col == 1 ? s.row : s.col; };
  const bool unit = (a.col == 1 || a.row == 1) && (b.col == 1 || b.row == 1);
  const bool small = m <= 16 || n <= 16 || m * n * k < worthwhile;
  if (small || !unit || larger(larger(m, n), larger(k, ldc)) > most || larger(stride(a), stride(b)) > most)
    return gemm(native{}, m, n, k, a, b, c, ldc, accumulate, workspace);
  // A BLAS expects matrices column by column: to it, ours are transposed, and so it is asked for c^T = b^T a^T.
  const auto size = [](std::size_t x) { return static_cast<int>(x); };
  const char left = b.col == 1 ? 'N' : 'T', right = a.col == 1 ? 'N' : 'T';
  const int rows = size(n), columns = size(m), depth = size(k), lda = size(stride(b)), ldb = size(stride(a)),
            leading = size(ldc);
  const T one(1), beta(accumulate ? 1 : 0);
  if constexpr (sizeof(T) == sizeof(float))
    sgemm_(&left, &right, &rows, &columns, &depth, &one, b.data, &lda, a.data, &ldb, &beta, c, &leading);
  else
    dgemm_(&left, &right, &rows, &columns, &depth, &one, b.data, &lda, a.data, &ldb, &beta, c, &leading);
}

}}  // namespace ctlm
