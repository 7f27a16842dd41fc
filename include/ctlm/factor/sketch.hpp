// SPDX-License-Identifier: MIT
// ctlm: random combinations of a matrix's rows, which span nearly what its rows do.
#pragma once

#include "../core/rng.hpp"
#include "../kernels/matmul.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A number that is nearly normal, of mean 0 and variance 1: the sum of the eight bytes of a hash. Of a random
/// combination this asks no more, and it takes a tenth of the time of logarithms and cosines.
constexpr double nearly_normal(std::uint64_t hash) {
  constexpr std::uint64_t bytes = 0x00ff00ff00ff00ffu;
  const std::uint64_t pairs = (hash & bytes) + (hash >> 8 & bytes);
  return (static_cast<double>(pairs * 0x0001000100010001u >> 48) - 1020) / 209.02153;
}

/// Columns whose combinations are made together: those of some dozen rows stay in the first cache.
inline constexpr std::size_t sketch_stripe = 128;

/// to [count][cols] = `count` random combinations of the rows of a [rows][cols], times `scale`. Each row takes part in
/// density * count of them, with random signs (Achlioptas 2003; at least one); at a density of 1, each in all, with
/// weights that are nearly normal. `weights` [count][rows] is for those alone. Rows of a lie lda apart.
template <class Backend, executor E, class T>
constexpr void sketch_rows(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* a, std::size_t lda,
                           std::size_t count, T scale, double density, std::uint64_t seed, T* to, T* weights,
                           T* products, std::size_t stride) {
  if (density >= 1) {
    parallel_for(exec, count, larger(1, 4096 / rows), [&](std::size_t first, std::size_t n, std::size_t) {
      const double factor = static_cast<double>(scale);
      for (std::size_t i = first * rows; i < (first + n) * rows; ++i)
        weights[i] = static_cast<T>(nearly_normal(mix(seed + i * 0xD1342543DE82EF95u)) * factor);
    });
    return matmul(backend, exec, count, cols, rows, row_major(static_cast<const T*>(weights), rows), row_major(a, lda),
                  to, cols, false, products, stride);
  }
  struct signed_row {
    T* to;
    T factor;
  };
  // The combinations are cut into as many parts as a row takes part in, and it is added to one of each part.
  const auto wanted = static_cast<std::size_t>(density * static_cast<double>(count) + 0.5);
  const std::size_t parts = smaller(count, larger(1, wanted));
  const std::size_t size = (count << 16) / parts;  // of a part, in 65536ths
  parallel_for(exec, cols, sketch_stripe, [&](std::size_t first, std::size_t n, std::size_t) {
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < n; ++j) to[i * cols + first + j] = T(0);
    constexpr std::size_t ahead = 8, line = 64 / sizeof(T);
    for (std::size_t row = 0; row < rows; ++row) {
      const T* const x = a + row * lda + first;
      if (row + ahead < rows)
        for (std::size_t j = 0; j < n; j += line) CTLM_PREFETCH_READ(x + ahead * lda + j);
      std::uint64_t bits = 0;
      std::size_t p = 0;
      const auto next = [&] {
        if (p % 4 == 0) bits = mix(seed + (row * parts + p) * 0xD1342543DE82EF95u);
        const std::size_t which = (p * size + ((bits & 0x7fff) * size >> 15)) >> 16;
        const signed_row its{to + which * cols + first, (bits & 0x8000) != 0 ? scale : -scale};
        ++p;
        bits >>= 16;
        return its;
      };
      while (p + 4 <= parts) {
        const signed_row r0 = next(), r1 = next(), r2 = next(), r3 = next();
        elementwise(
            backend, n,
            [f0 = r0.factor, f1 = r1.factor, f2 = r2.factor, f3 = r3.factor](auto& y0, auto& y1, auto& y2, auto& y3,
                                                                             const auto& v) {
              y0 = y0 + v * f0;
              y1 = y1 + v * f1;
              y2 = y2 + v * f2;
              y3 = y3 + v * f3;
            },
            r0.to, r1.to, r2.to, r3.to, x);
      }
      while (p < parts) {
        const signed_row r = next();
        elementwise(
            backend, n, [f = r.factor](auto& y, const auto& v) { y = y + v * f; }, r.to, x);
      }
    }
  });
}

}}  // namespace ctlm
