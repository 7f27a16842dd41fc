// SPDX-License-Identifier: MIT
// ctlm: sums over a matrix that threads share by rows, so that their number changes no bit.
#pragma once

#include "../../core/executor.hpp"
#include "../../kernels/primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The sum over all numbers of matrices [rows][cols] of f(number...), one from each of the pointers; sums of single
/// rows, made in stretches of 1024 and added in double, are left in partials [rows].
template <class Backend, executor E, class F, class... T>
constexpr double sum_rows(Backend backend, E& exec, std::size_t rows, std::size_t cols, double* partials, F&& f,
                          const T*... numbers) {
  constexpr std::size_t stretch = 1024;
  parallel_for(exec, rows, larger(1, 16384 / cols), [&](std::size_t first, std::size_t n, std::size_t) {
    for (std::size_t r = first; r < first + n; ++r) {
      double total = 0;
      for (std::size_t j = 0; j < cols; j += stretch)
        total += static_cast<double>(sum(backend, smaller(stretch, cols - j), f, (numbers + r * cols + j)...));
      partials[r] = total;
    }
  });
  double total = 0;
  for (std::size_t r = 0; r < rows; ++r) total += partials[r];
  return total;
}

}}  // namespace ctlm
