// SPDX-License-Identifier: MIT
// ctlm: the activation between the two projections of a feed-forward layer, plain and gated.
#pragma once

#include "norm.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// y[rows][n] = f(x); gated: x is [rows][2 n], the gate's n numbers first, and y = f(gate) * up.
template <class F, class Backend, executor E, class T>
CTLM_NOINLINE constexpr void activation_forward(F, Backend backend, E& exec, std::size_t rows, std::size_t n,
                                                const T* x, T* y) {
  parallel_for(exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i) {
      if constexpr (F::gated) {
        elementwise(
            backend, n, [](auto& out, const auto& gate, const auto& up) { out = F::value(gate) * up; }, y + i * n,
            x + i * 2 * n, x + i * 2 * n + n);
      } else {
        elementwise(
            backend, n, [](auto& out, const auto& v) { out = F::value(v); }, y + i * n, x + i * n);
      }
    }
  });
}

/// dx = dy * f'(x); gated: both halves of dx. dx may be x itself: each element is read before it is written.
template <class F, class Backend, executor E, class T>
constexpr void activation_backward(F, Backend backend, E& exec, std::size_t rows, std::size_t n, const T* dy, T* x) {
  parallel_for(exec, rows, row_grain(n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i) {
      if constexpr (F::gated) {
        elementwise(
            backend, n,
            [](auto& gate, auto& up, const auto& d) {
              const auto slope = F::derivative(gate);
              const auto value = F::value(gate);
              gate = d * up * slope;
              up = d * value;
            },
            x + i * 2 * n, x + i * 2 * n + n, dy + i * n);
      } else {
        elementwise(
            backend, n, [](auto& v, const auto& d) { v = d * F::derivative(v); }, x + i * n, dy + i * n);
      }
    }
  });
}

/// Both at once, where the activation is not gated: d becomes d * f'(x) and then x, which may be stored in 16 bits,
/// becomes f(x).
template <class F, class Backend, executor E, class T, class Input>
constexpr void activation_both_ways(F, Backend backend, E& exec, std::size_t n, T* d, Input* x) {
  parallel_for(exec, n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    elementwise(
        backend, count,
        [](auto& gradient, auto& v) {
          gradient = gradient * F::derivative(v);
          v = F::value(v);
        },
        d + first, x + first);
  });
}

}}  // namespace ctlm
