// SPDX-License-Identifier: MIT
// ctlm: the two 16-bit floating point numbers.
#pragma once

#include "../core/types.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

/// IEEE binary16 to binary32; exact.
constexpr float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 0x1Fu;
  const std::uint32_t mantissa = h & 0x3FFu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

/// IEEE binary32 to binary16, to nearest, ties to even; overflow gives infinity, NaN stays NaN.
constexpr std::uint16_t float_to_half(float f) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 aligns the mantissa to 2^-24 and rounds
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(aligned) - 0x3F000000u));
  }
  const std::uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

/// The nearest number that half precision holds, at most 65504 in magnitude: half_to_float(float_to_half(f)) of what is
/// not larger; not for NaN. It has no branch: loops over it become vectors.
constexpr float rounded_to_half(float f) {
  constexpr std::int32_t largest = 0x477FE000, least_normal = 0x38800000;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
  const std::int32_t beyond = static_cast<std::int32_t>(bits & 0x7FFFFFFFu) - largest;
  const std::int32_t magnitude = largest + (beyond & (beyond >> 31));
  const std::int32_t normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1)) & ~0x1FFF;
  const float aligned = std::bit_cast<float>(magnitude) + 0.5f;  // as in float_to_half: whole multiples of 2^-24
  const auto multiple = static_cast<float>(std::bit_cast<std::int32_t>(aligned) - 0x3F000000);
  const std::int32_t small = std::bit_cast<std::int32_t>(multiple * 0x1p-24f);
  const std::int32_t is_small = (magnitude - least_normal) >> 31;  // all bits, or none
  const auto rounded = static_cast<std::uint32_t>((small & is_small) | (normal & ~is_small));
  return std::bit_cast<float>((bits & 0x80000000u) | rounded);
}

/// bfloat16 is the upper half of a binary32.
constexpr float bfloat_to_float(std::uint16_t b) { return std::bit_cast<float>(static_cast<std::uint32_t>(b) << 16); }

/// To nearest, ties to even; NaN stays NaN.
constexpr std::uint16_t float_to_bfloat(float f) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(f);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/// The number of single precision next to x whose last bit is 1, unless x is in single precision itself ("rounding to
/// odd"). Whatever is then rounded to 22 bits or fewer is what x itself would be rounded to: a tie is only one that x
/// is.
constexpr float round_to_odd(double x) {
  const auto nearest = static_cast<float>(x);
  const auto back = static_cast<double>(nearest);
  if (back == x || x != x) return nearest;
  const bool farther = x < 0 ? back < x : back > x;  // from zero
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(nearest);
  return std::bit_cast<float>((farther ? bits - 1 : bits) | 1);
}

/// A number stored in 16 bits. It widens to single precision, which holds it exactly, wherever it is computed with.
struct half {
  std::uint16_t bits;
  constexpr operator float() const { return half_to_float(bits); }
  static constexpr half from(float x) { return {float_to_half(x)}; }
};
/// A number stored as bfloat16; it widens to single precision as `half` does.
struct bfloat {
  std::uint16_t bits;
  constexpr operator float() const { return bfloat_to_float(bits); }
  static constexpr bfloat from(float x) { return {float_to_bfloat(x)}; }
};

}}  // namespace ctlm
