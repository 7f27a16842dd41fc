// SPDX-License-Identifier: MIT
// ctlm: bytes for numbers of very different sizes: a scale with the same relative precision over seven decades
// (Dettmers 2016, "8-Bit Approximations for Parallelism in Deep Learning": dynamic quantisation).
#pragma once

#include "../../core/math.hpp"
#include "../../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 256 numbers of -1 to 1, or of 0 to 1: 0, 1, and in every decade, from 1e-7 up to 1, twice as many as in the one
/// below it, which share it in equal parts. Their places in rising order are the codes.
class dynamic_codes {
 public:
  /// The scale with a sign, or the one without, whose decades have twice as many numbers.
  constexpr explicit dynamic_codes(bool with_sign) {
    std::size_t n = 0;
    float rising[256]{};
    constexpr double powers[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
    for (std::size_t decade = 0; decade < 7; ++decade) {
      const std::size_t parts = std::size_t{1} << (with_sign ? decade : decade + 1);
      const double width = 0.9 / static_cast<double>(parts);
      for (std::size_t i = 0; i < parts; ++i)
        rising[n++] = static_cast<float>(powers[decade] * (0.1 + width * (static_cast<double>(i) + 0.5)));
    }
    std::size_t at = 0;
    if (with_sign)
      for (std::size_t i = n; i-- > 0;) values_[at++] = -rising[i];
    values_[at++] = 0;
    for (std::size_t i = 0; i < n; ++i) values_[at++] = rising[i];
    values_[at] = 1;
  }

  /// The number of a code.
  constexpr float value(std::uint8_t code) const { return values_[code]; }

  /// The code of the number that is nearest to x; of two that are equally near, the smaller one.
  template <class T>
  constexpr std::uint8_t nearest(T x) const {
    std::size_t low = 0;
    for (std::size_t half = 128; half > 0; half /= 2)
      if (static_cast<T>(values_[low + half]) <= x) low += half;
    if (low == 255) return 255;
    const bool up = x - static_cast<T>(values_[low]) > static_cast<T>(values_[low + 1]) - x;
    return static_cast<std::uint8_t>(low + (up ? 1 : 0));
  }

  /// n numbers of their codes and the scale of all.
  template <class T>
  constexpr void decode(std::size_t n, const std::uint8_t* codes, float scale, T* to) const {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<T>(values_[codes[i]]) * static_cast<T>(scale);
  }
  /// The codes of n numbers, and, as the result, their scale: the largest magnitude.
  template <class T>
  constexpr float encode(std::size_t n, const T* x, std::uint8_t* codes) const {
    T most = 0;
    for (std::size_t i = 0; i < n; ++i) most = math::max(most, math::abs(x[i]));
    const float scale = static_cast<float>(most);
    const T factor = scale > 0 ? T(1) / static_cast<T>(scale) : T(0);
    for (std::size_t i = 0; i < n; ++i) codes[i] = nearest(x[i] * factor);
    return scale;
  }

 private:
  float values_[256]{};
};

/// For numbers of either sign.
inline constexpr dynamic_codes signed_dynamic_codes(true);
/// For numbers that are not negative.
inline constexpr dynamic_codes unsigned_dynamic_codes(false);

}}  // namespace ctlm
