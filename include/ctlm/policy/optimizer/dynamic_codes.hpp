// SPDX-License-Identifier: MIT
// ctlm: bytes for numbers of very different sizes: a scale with the same relative precision over seven decades
// (Dettmers 2016, "8-Bit Approximations for Parallelism in Deep Learning": dynamic quantisation).
#pragma once

#include "../../core/math.hpp"
#include "../../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 256 numbers of -1 to 1, or of 0 to 1: 0, 1, and in every decade, from 1e-7 up to 1, twice as many as in the one
/// below it, which share it in equal parts. Their places in rising order are the codes. What is encoded are T.
///
/// A number's sign, exponent and first seven bits say which of two neighbours its code is, since numbers that begin
/// alike are nearer to each other than the codes' are. One comparison finds out which: no search, and no branch.
template <class T>
class dynamic_codes {
 public:
  /// The scale with a sign, or the one without, whose decades have twice as many numbers.
  constexpr explicit dynamic_codes(bool with_sign) {
    place_values(with_sign);
    for (std::size_t i = 0; i < 255; ++i) bounds_[i] = first_nearer(T(values_[i + 1]), T(values_[i]));
    bounds_[255] = std::numeric_limits<T>::infinity();
    place_codes();
  }

  /// The number of a code.
  constexpr float value(std::uint8_t code) const { return values_[code]; }

  /// The code of the number that is nearest to x, of -1 to 1; of two that are equally near, the smaller one.
  constexpr std::uint8_t nearest(T x) const {
    const std::uint8_t code = codes_[beginning(x)];
    return static_cast<std::uint8_t>(code + (x >= bounds_[code] ? 1 : 0));
  }

  /// n numbers of their codes and the scale of all.
  constexpr void decode(std::size_t n, const std::uint8_t* codes, float scale, T* to) const {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<T>(values_[codes[i]]) * static_cast<T>(scale);
  }
  /// The codes of n numbers, and, as the result, their scale: the largest magnitude, which is not finite where one of
  /// the numbers is not.
  constexpr float encode(std::size_t n, const T* x, std::uint8_t* codes) const {
    const float scale = static_cast<float>(std::bit_cast<T>(math::largest_magnitude(n, x)));
    const T factor = scale > 0 ? T(1) / static_cast<T>(scale) : T(0);
    for (std::size_t i = 0; i < n; ++i) codes[i] = nearest(x[i] * factor);
    return scale;
  }

 private:
  using bits = typename math::ieee<T>::bits;
  static constexpr int shift = math::ieee<T>::mantissa - 7, exponents = 23;
  static constexpr bits lowest = static_cast<bits>(math::ieee<T>::bias - exponents) << 7;  // below half of any number
  static constexpr std::size_t beginnings = (std::size_t{exponents} << 7) + 1;             // of a sign: up to 1

  static constexpr std::size_t beginning(T x) {
    const bits first = math::magnitude_bits(x) >> shift;
    const std::size_t place = first < lowest ? 0 : static_cast<std::size_t>(first - lowest);
    return smaller(place, beginnings - 1) + (std::bit_cast<bits>(x) >> (8 * sizeof(T) - 1)) * beginnings;
  }
  constexpr void place_values(bool with_sign) {
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
  /// The smallest number that is nearer to `high` than to `low`, as far as T can say.
  static constexpr T first_nearer(T high, T low) {
    T x = (low + high) / 2;
    while (x - low > high - x) x = next(x, -1);
    while (!(x - low > high - x)) x = next(x, 1);
    return x;
  }
  static constexpr T next(T x, int direction) {
    return std::bit_cast<T>(
        static_cast<bits>(std::bit_cast<bits>(x) + static_cast<bits>(x < 0 ? -direction : direction)));
  }
  /// Of each beginning, in rising order, the code of the smallest number that begins so.
  constexpr void place_codes() {
    std::uint8_t code = 0;
    const auto place = [&](std::size_t at, T smallest) {
      while (smallest >= bounds_[code]) ++code;
      codes_[at] = code;
    };
    for (std::size_t i = beginnings; i-- > 0;)
      place(beginnings + i, -std::bit_cast<T>(static_cast<bits>(((lowest + i + 1) << shift) - 1)));
    place(0, 0);
    for (std::size_t i = 1; i < beginnings; ++i) place(i, std::bit_cast<T>(static_cast<bits>((lowest + i) << shift)));
  }

  float values_[256]{};
  T bounds_[256]{};                       // what is at least bounds_[i] has a larger code than i
  std::uint8_t codes_[2 * beginnings]{};  // positive numbers first
};

/// For numbers of either sign.
template <class T>
inline constexpr dynamic_codes<T> signed_dynamic_codes(true);
/// For numbers that are not negative.
template <class T>
inline constexpr dynamic_codes<T> unsigned_dynamic_codes(false);

}}  // namespace ctlm
