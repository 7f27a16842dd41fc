// SPDX-License-Identifier: MIT
// ctlm: normalisation of many rows, forward and backward, for any norm policy.
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows that one task takes: enough work to be worth a thread, whatever the width.
constexpr std::size_t row_grain(std::size_t n) { return larger(1, 16384 / larger(1, n)); }

/// y = norm(x), row by row. `stats`, if given, keeps one statistics<T> per row for the backward pass.
template <class Norm, class Backend, executor E, class T, class S = typename Norm::template statistics<T>>
CTLM_NOINLINE constexpr void norm_forward(Norm, Backend backend, E& exec, std::size_t rows, std::size_t n, const T* x,
                                          const T* weight, const T* bias, T* y, float epsilon,
                                          std::type_identity_t<S*> stats) {
  parallel_for(exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i) {
      const S s = Norm::forward(backend, n, x + i * n, weight, bias, y + i * n, epsilon);
      if (stats != nullptr) stats[i] = s;
    }
  });
}

/// The forward pass again from its statistics: cheaper than keeping every normalised row.
template <class Norm, class Backend, executor E, class T, class S = typename Norm::template statistics<T>>
CTLM_NOINLINE constexpr void norm_repeat(Norm, Backend backend, E& exec, std::size_t rows, std::size_t n, const T* x,
                                         const T* weight, const T* bias, T* y, const std::type_identity_t<S>* stats) {
  parallel_for(exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i)
      Norm::repeat(backend, n, x + i * n, weight, bias, y + i * n, stats[i]);
  });
}

/// dx += ..., dweight += ..., dbias += ...
template <class Norm, class Backend, executor E, class T, class S = typename Norm::template statistics<T>>
CTLM_NOINLINE constexpr void norm_backward(Norm, Backend backend, E& exec, std::size_t rows, std::size_t n, const T* x,
                                           const T* weight, const T* dy, T* dx, T* dweight, T* dbias,
                                           const std::type_identity_t<S>* stats) {
  parallel_for(exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i)
      Norm::backward_input(backend, n, x + i * n, weight, dy + i * n, dx + i * n, stats[i]);
  });
  // Columns, not rows, are shared out: each element is summed in the same order whatever the thread count.
  parallel_for(exec, n, 64, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = 0; i < rows; ++i)
      Norm::backward_weight(backend, count, x + i * n + first, dy + i * n + first, dweight + first,
                            dbias == nullptr ? nullptr : dbias + first, stats[i]);
  });
}

}}  // namespace ctlm
