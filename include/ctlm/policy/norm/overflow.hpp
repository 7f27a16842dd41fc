// SPDX-License-Identifier: MIT
// ctlm: mean and deviation of a row whose squares overflow: of the row made smaller by a power of two, which rounds
// nothing. Norms come here when a sum of squares is not finite.
#pragma once

#include "../../kernels/primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Smaller by so much that no sum of squares of finite numbers overflows, and that squares which did overflow do not
/// vanish.
template <class T>
inline constexpr T less_than_overflow = math::exp2i<T>(-(math::ieee<T>::max_exponent * 5 / 8));
/// A norm whose 1 / rms is below this is that of a row so large that the cube of 1 / rms loses digits.
template <class T>
inline constexpr T cubes_vanish = math::exp2i<T>(-(math::ieee<T>::max_exponent / 2 - 3));

/// The mean of n numbers.
template <class Backend, class T>
CTLM_NOINLINE constexpr T large_mean(Backend backend, std::size_t n, const T* x) {
  constexpr T less = less_than_overflow<T>;
  return sum(
             backend, n, [=](const auto& v) { return v * less; }, x) /
         T(n) / less;
}

/// 1 / sqrt(mean of (x - middle)^2); NaN for a row with a NaN or an infinity. The norm's epsilon is left out: squares
/// that overflow are so much larger that adding it would change no bit.
template <class Backend, class T>
CTLM_NOINLINE constexpr T inverse_deviation(Backend backend, std::size_t n, const T* x, T middle) {
  if (!math::all_finite(n, x)) return std::numeric_limits<T>::quiet_NaN();
  constexpr T less = less_than_overflow<T>;
  const T small = middle * less;
  const T squares = sum(
      backend, n, [=](const auto& v) { return (v * less - small) * (v * less - small); }, x);
  return less / math::sqrt(squares / T(n));
}

}}  // namespace ctlm
