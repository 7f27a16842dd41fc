// SPDX-License-Identifier: MIT
// ctlm: the Walsh-Hadamard transform, in n log n additions.
#pragma once

#include "../core/math.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// x becomes H x, H being the orthonormal Hadamard matrix in its natural order; n is a power of two. Sums of two
/// numbers at a time: the same bits with every backend.
template <class Backend, class T>
constexpr void hadamard_transform(Backend backend, std::size_t n, T* x) {
  for (std::size_t half = 1; half < n; half *= 2)
    for (std::size_t i = 0; i < n; i += 2 * half)
      elementwise(
          backend, half,
          [](auto& low, auto& high) {
            const auto sum = low + high;
            high = low - high;
            low = sum;
          },
          x + i, x + i + half);
  const T scale = T(1) / math::sqrt(static_cast<T>(n));
  elementwise(
      backend, n, [=](auto& v) { v *= scale; }, x);
}

}}  // namespace ctlm
