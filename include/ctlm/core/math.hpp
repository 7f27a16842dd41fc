// SPDX-License-Identifier: MIT
// ctlm: elementary functions without <cmath>: constexpr, and the same bits on every machine with IEEE arithmetic.
// Accuracy: a few units in the last place of T over the range that models use; tests hold them to it.
#pragma once

#include "types.hpp"

#include <bit>
#include <limits>

namespace ctlm { inline namespace CTLM_ABI { namespace math {

template <class T>
concept real = std::is_same_v<T, float> || std::is_same_v<T, double>;

template <real T>
struct ieee;
template <>
struct ieee<float> {
  using bits = std::uint32_t;
  static constexpr int mantissa = 23, bias = 127, max_exponent = 127;
  static constexpr int exp_terms = 7, log_terms = 5;
  static constexpr float exp_min = -103.0f, exp_max = 88.72f;
};
template <>
struct ieee<double> {
  using bits = std::uint64_t;
  static constexpr int mantissa = 52, bias = 1023, max_exponent = 1023;
  static constexpr int exp_terms = 13, log_terms = 12;
  static constexpr double exp_min = -745.0, exp_max = 709.78;
};

inline constexpr double ln2 = 0.6931471805599453;
inline constexpr double pi = 3.141592653589793;

template <real T>
constexpr T abs(T x) {
  return x < T(0) ? -x : x;
}
template <real T>
constexpr T max(T a, T b) {
  return a < b ? b : a;
}
template <real T>
constexpr T min(T a, T b) {
  return b < a ? b : a;
}
/// The scalar twin of a SIMD select.
template <real T>
constexpr T select(bool condition, T yes, T no) {
  return condition ? yes : no;
}
template <real T>
constexpr bool isfinite(T x) {
  return x - x == T(0);
}

/// a * b without its last bit. Where the processor can, compilers merge a product with the addition that follows, and
/// round once instead of twice; not this one. So what is computed with it has the same bits in all builds.
constexpr float product(float a, float b) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(a * b) & ~std::uint32_t{1});
}

/// p * 2^n, where t is n + 1.5 * 2^23, which leaves n in its lowest bits; 0 unless y is above -126.
constexpr float times_power(float p, float t, float y) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(p) + (std::bit_cast<std::uint32_t>(t) << 23);
  return y > -126.0f ? std::bit_cast<float>(bits) : 0.0f;
}

/// The bits of |x|, which compare as the magnitudes do. Those of infinity are `infinite_bits`; those of NaN are larger.
/// A maximum of them forgets no NaN, which a maximum of numbers may do.
template <real T>
constexpr typename ieee<T>::bits magnitude_bits(T x) {
  using bits = typename ieee<T>::bits;
  return std::bit_cast<bits>(x) & static_cast<bits>(~bits(0) >> 1);
}
template <real T>
inline constexpr
    typename ieee<T>::bits infinite_bits = std::bit_cast<typename ieee<T>::bits>(std::numeric_limits<T>::infinity());

/// The largest of n magnitudes as bits, 0 for none.
template <real T>
constexpr typename ieee<T>::bits largest_magnitude(std::size_t n, const T* x) {
  typename ieee<T>::bits largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = magnitude_bits(x[i]);
    largest = bits > largest ? bits : largest;
  }
  return largest;
}
/// Neither a NaN nor an infinity among n numbers.
template <real T>
constexpr bool all_finite(std::size_t n, const T* x) {
  return largest_magnitude(n, x) < infinite_bits<T>;
}

/// Nearest integer, halves away from zero; |x| < 2^31.
template <real T>
constexpr int round_to_int(T x) {
  return static_cast<int>(x < T(0) ? x - T(0.5) : x + T(0.5));
}

/// 2^n for an exponent that T can hold as a normal number.
template <real T>
constexpr T exp2i(int n) {
  using bits = typename ieee<T>::bits;
  return std::bit_cast<T>(static_cast<bits>(static_cast<bits>(n + ieee<T>::bias) << ieee<T>::mantissa));
}

/// e^r for |r| <= ln(2)/2, by its Taylor series; minus one, so that small results keep their precision.
template <real T>
constexpr T expm1_reduced(T r) {
  T sum = T(1) / T(ieee<T>::exp_terms);
  for (int k = ieee<T>::exp_terms - 1; k >= 1; --k) sum = (T(1) + r * sum) / T(k);
  return r * sum;
}

template <real T>
constexpr T exp(T x) {
  if (x != x) return x;
  if (x > ieee<T>::exp_max) return std::numeric_limits<T>::infinity();
  if (x < ieee<T>::exp_min) return T(0);
  const int n = round_to_int(x * T(1.4426950408889634));
  // ln 2 in two parts: the first has few enough bits that n times it is exact.
  const T high = std::is_same_v<T, float> ? T(0.693359375) : T(6.93147180369123816490e-01);
  const T low = std::is_same_v<T, float> ? T(-2.12194440e-4) : T(1.90821492927058770002e-10);
  const T r = (x - T(n) * high) - T(n) * low;
  const T y = T(1) + expm1_reduced(r);
  const int half = n / 2;  // by two factors: 2^n itself may overflow or be subnormal
  return y * exp2i<T>(half) * exp2i<T>(n - half);
}

/// x > 0; zero gives -infinity, a negative number NaN.
template <real T>
constexpr T log(T x) {
  using bits = typename ieee<T>::bits;
  if (x != x || x == std::numeric_limits<T>::infinity()) return x;
  if (x == T(0)) return -std::numeric_limits<T>::infinity();
  if (x < T(0)) return std::numeric_limits<T>::quiet_NaN();
  int e = 0;
  if (x < std::numeric_limits<T>::min()) {
    x *= exp2i<T>(ieee<T>::mantissa + 1);
    e = -(ieee<T>::mantissa + 1);
  }
  const bits b = std::bit_cast<bits>(x);
  e += static_cast<int>(b >> ieee<T>::mantissa) - ieee<T>::bias;
  T m = std::bit_cast<T>(
      static_cast<bits>((b & ((bits(1) << ieee<T>::mantissa) - 1)) | (bits(ieee<T>::bias) << ieee<T>::mantissa)));
  if (m > T(1.4142135623730951)) {
    m *= T(0.5);
    ++e;
  }
  const T s = (m - T(1)) / (m + T(1));  // ln m = 2 artanh(s), |s| < 0.172
  T sum = T(0);
  for (int k = ieee<T>::log_terms; k >= 1; --k) sum = s * s * (T(1) / T(2 * k + 1) + sum);
  const T high = std::is_same_v<T, float> ? T(0.693359375) : T(6.93147180369123816490e-01);
  const T low = std::is_same_v<T, float> ? T(-2.12194440e-4) : T(1.90821492927058770002e-10);
  return T(e) * high + (T(2) * s + (T(2) * s * sum + T(e) * low));
}

/// Correctly rounded, with and without the hardware's instruction.
template <real T>
constexpr T sqrt(T x) {
#if CTLM_HAS_SQRT
  if (!std::is_constant_evaluated()) {
    if constexpr (std::is_same_v<T, float>)
      return __builtin_sqrtf(x);
    else
      return __builtin_sqrt(x);
  }
#endif
  if (x == T(0) || x == std::numeric_limits<T>::infinity()) return x;
  if (!(x > T(0))) return std::numeric_limits<T>::quiet_NaN();
  using bits = typename ieee<T>::bits;
  constexpr int mantissa = ieee<T>::mantissa;
  constexpr bits one = bits(1) << mantissa;
  int scale = 0;  // x = fraction * 4^scale, fraction in [1, 4) with `mantissa` bits after the point
  if (x < std::numeric_limits<T>::min()) {
    x *= exp2i<T>(2 * ((mantissa + 2) / 2));
    scale = -((mantissa + 2) / 2);
  }
  const bits b = std::bit_cast<bits>(x);
  const int exponent = static_cast<int>(b >> mantissa) - ieee<T>::bias;
  const int odd = exponent & 1;
  scale += (exponent - odd) / 2;
  // One binary digit after the other; the last is there to round by, and what remains says whether it is exact.
  bits rest = (((b & (one - 1)) | one) << odd) << 1, twice = 0, root = 0;
  for (bits digit = one << 1; digit != 0; digit >>= 1, rest <<= 1)
    if (twice + digit <= rest) {
      rest -= twice + digit;
      twice += digit << 1;
      root += digit;
    }
  if (rest != 0) root += root & 1;
  // The hidden bit of the root adds one to the exponent.
  return std::bit_cast<T>(static_cast<bits>((root >> 1) + (bits(scale + ieee<T>::bias - 1) << mantissa)));
}

template <real T>
constexpr T tanh(T x) {
  const T a = abs(x);
  if (a > T(20)) return x < T(0) ? T(-1) : T(1);
  T t = T(0);
  if (a < T(0.17)) {
    const T e = expm1_reduced(T(2) * a);
    t = e / (e + T(2));
  } else {
    t = T(1) - T(2) / (exp(T(2) * a) + T(1));
  }
  return x < T(0) ? -t : t;
}

/// erf x = 2/sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (2n+1)!!, all terms of one sign (Abramowitz and Stegun 7.1.6).
template <real T>
constexpr T erf(T x) {
  const T a = abs(x);
  if (a > T(6)) return x < T(0) ? T(-1) : T(1);
  T term = a, sum = a;
  for (int n = 1; term > sum * std::numeric_limits<T>::epsilon() * T(0.25); ++n) {
    term *= T(2) * a * a / T(2 * n + 1);
    sum += term;
  }
  const T y = T(1.1283791670955126) * exp(-a * a) * sum;
  return x < T(0) ? -y : y;
}

/// Reduces an angle to [-pi/4, pi/4] and a quadrant; |x| < 10^6. Of an angle too large to have a quadrant, an infinite
/// one, and NaN, nothing is known: the result is NaN.
struct quadrant {
  double r;
  int n;
};
constexpr quadrant reduce_angle(double x) {
  if (!(abs(x) < 1e9)) return {std::numeric_limits<double>::quiet_NaN(), 0};
  const int n = round_to_int(x * 0.6366197723675814);
  const double r =
      ((x - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
  return {r, n & 3};
}
constexpr double sin_reduced(double r) {
  double sum = 0;
  for (int k = 8; k >= 1; --k) sum = -r * r / ((2 * k) * (2 * k + 1)) * (1 + sum);
  return r * (1 + sum);
}
constexpr double cos_reduced(double r) {
  double sum = 0;
  for (int k = 8; k >= 1; --k) sum = -r * r / ((2 * k - 1) * (2 * k)) * (1 + sum);
  return 1 + sum;
}
/// The sine of r and n quarters of a turn.
CTLM_NOINLINE constexpr double sin_of(double r, int n) {
  const double y = n & 1 ? cos_reduced(r) : sin_reduced(r);
  return n & 2 ? -y : y;
}
constexpr double sin(double x) {
  const auto [r, n] = reduce_angle(x);
  return sin_of(r, n);
}
constexpr double cos(double x) {
  const auto [r, n] = reduce_angle(x);
  return sin_of(r, n + 1);
}

/// x^y for x > 0.
constexpr double pow(double x, double y) { return exp(y * log(x)); }

}  // namespace math
}}  // namespace ctlm
