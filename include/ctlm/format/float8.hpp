// SPDX-License-Identifier: MIT
// ctlm: the two 8-bit floating point numbers (Micikevicius et al. 2022, "FP8 Formats for Deep Learning").
#pragma once

#include "float16.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// E4M3 to binary32; exact. There is no infinity, and one NaN for each sign.
constexpr float e4m3_to_float(std::uint8_t b) {
  const std::uint32_t sign = (b & 0x80u) << 24, magnitude = b & 0x7Fu;
  if (magnitude == 0x7F) return std::bit_cast<float>(sign | 0x7FC00000u);
  if (magnitude < 8) {  // zero or subnormal: multiples of 2^-9
    const float f = static_cast<float>(magnitude) * 0x1p-9f;
    return sign != 0 ? -f : f;
  }
  return std::bit_cast<float>(sign | ((magnitude << 20) + (120u << 23)));
}

/// Binary32 to E4M3, to nearest, ties to even; overflow gives 448, infinities and NaN give NaN.
constexpr std::uint8_t float_to_e4m3(float f) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(f), magnitude = bits & 0x7FFFFFFFu;
  const std::uint32_t sign = bits >> 24 & 0x80u;
  if (magnitude >= 0x7F800000u) return static_cast<std::uint8_t>(sign | 0x7Fu);
  if (magnitude >= 0x43E00000u) return static_cast<std::uint8_t>(sign | 0x7Eu);  // 448
  if (magnitude < 0x3C800000u) {  // subnormal: adding 2^14 aligns the mantissa to 2^-9 and rounds
    const float aligned = std::bit_cast<float>(magnitude) + 0x1p14f;
    return static_cast<std::uint8_t>(sign | (std::bit_cast<std::uint32_t>(aligned) - 0x46800000u));
  }
  const std::uint32_t rounded = magnitude + 0x7FFFFu + (magnitude >> 20 & 1u);
  return static_cast<std::uint8_t>(sign | (rounded - (120u << 23)) >> 20);
}

/// E5M2 is the upper half of a binary16.
constexpr float e5m2_to_float(std::uint8_t b) { return half_to_float(static_cast<std::uint16_t>(b << 8)); }

/// Binary32 to E5M2, to nearest, ties to even; overflow gives infinity, NaN stays NaN.
constexpr std::uint8_t float_to_e5m2(float f) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(f), magnitude = bits & 0x7FFFFFFFu;
  const std::uint32_t sign = bits >> 24 & 0x80u;
  if (magnitude > 0x7F800000u) return static_cast<std::uint8_t>(sign | 0x7Fu);
  if (magnitude >= 0x47800000u) return static_cast<std::uint8_t>(sign | 0x7Cu);
  if (magnitude < 0x38800000u) {  // subnormal: adding 2^7 aligns the mantissa to 2^-16 and rounds
    const float aligned = std::bit_cast<float>(magnitude) + 0x1p7f;
    return static_cast<std::uint8_t>(sign | (std::bit_cast<std::uint32_t>(aligned) - 0x43000000u));
  }
  const std::uint32_t rounded = magnitude + 0xFFFFFu + (magnitude >> 21 & 1u);
  return static_cast<std::uint8_t>(sign | (rounded - (112u << 23)) >> 21);
}

/// A number stored in 8 bits: 4 of exponent, 3 of mantissa. It widens to single precision, which holds it exactly,
/// wherever it is computed with.
struct float8_e4m3 {
  std::uint8_t bits;
  constexpr operator float() const { return e4m3_to_float(bits); }
  static constexpr float8_e4m3 from(float x) { return {float_to_e4m3(x)}; }
};
/// A number stored in 8 bits: 5 of exponent, 2 of mantissa; it widens as float8_e4m3 does.
struct float8_e5m2 {
  std::uint8_t bits;
  constexpr operator float() const { return e5m2_to_float(bits); }
  static constexpr float8_e5m2 from(float x) { return {float_to_e5m2(x)}; }
};

}}  // namespace ctlm
