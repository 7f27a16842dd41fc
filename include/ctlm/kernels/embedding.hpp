// SPDX-License-Identifier: MIT
// ctlm: rows of a table, looked up and, in the backward pass, scattered to.
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// x[r] = table[tokens[r]].
template <class Backend, executor E, format F, class T = typename F::compute>
constexpr void embed(Backend backend, E& exec, F, std::size_t rows, const token* tokens,
                     const std::type_identity_t<matrix<const F>>& table, T* x) {
  parallel_for(exec, rows, larger(1, 8192 / table.cols), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = first; r < first + count; ++r)
      decode_row(backend, F{}, table, static_cast<std::size_t>(tokens[r]), x + r * table.cols);
  });
}

/// x *= factor.
template <class Backend, executor E, class T>
constexpr void scale_rows(Backend backend, E& exec, std::size_t n, T factor, T* x) {
  parallel_for(exec, n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    elementwise(
        backend, count, [=](auto& v) { v = v * factor; }, x + first);
  });
}

/// dtable[tokens[r]] += dx[r]. Columns are shared out, since rows may repeat.
template <class Backend, executor E, class T>
constexpr void embed_backward(Backend backend, E& exec, std::size_t rows, std::size_t n, const token* tokens,
                              const T* dx, T* dtable) {
  parallel_for(exec, n, 64, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = 0; r < rows; ++r)
      elementwise(
          backend, count, [](auto& out, const auto& d) { out += d; },
          dtable + static_cast<std::size_t>(tokens[r]) * n + first, dx + r * n + first);
  });
}

/// x[r] += positions[first + r % period]. Positions that have to be decoded go through scratch [rows][columns].
template <class Backend, executor E, format F, class T = typename F::compute>
constexpr void add_positions(Backend backend, E& exec, F, std::size_t rows, std::size_t period, std::size_t first,
                             const std::type_identity_t<matrix<const F>>& positions, T* x, T* scratch) {
  const std::size_t n = positions.cols;
  parallel_for(exec, rows, larger(1, 8192 / n), [&](std::size_t begin, std::size_t count, std::size_t) {
    for (std::size_t r = begin; r < begin + count; ++r) {
      const T* position = scratch + r * n;
      if constexpr (native_format<F>)
        position = positions.data + (first + r % period) * n;
      else
        decode_row(backend, F{}, positions, first + r % period, scratch + r * n);
      elementwise(
          backend, n, [](auto& out, const auto& p) { out += p; }, x + r * n, position);
    }
  });
}

/// dpositions[r % period] += dx[r].
template <class Backend, executor E, class T>
constexpr void add_positions_backward(Backend backend, E& exec, std::size_t rows, std::size_t period, std::size_t n,
                                      const T* dx, T* dpositions) {
  parallel_for(exec, n, 64, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = 0; r < rows; ++r)
      elementwise(
          backend, count, [](auto& out, const auto& d) { out += d; }, dpositions + r % period * n + first,
          dx + r * n + first);
  });
}

}}  // namespace ctlm
