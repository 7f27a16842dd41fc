// SPDX-License-Identifier: MIT
// ctlm: 8-bit floating point numbers as storage formats.
#pragma once

#include "float8.hpp"
#include "plain.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 8 bits: 4 bits of precision, from 2^-9 up to 448, which larger numbers become, as in PyTorch's float8_e4m3fn.
/// An infinity becomes NaN, so that it is noticed. Arithmetic is in single precision.
struct f8_e4m3 : plain<f8_e4m3, float8_e4m3, float> {
  static constexpr const char* name = "f8_e4m3";
  static constexpr float farthest = 16;  ///< that rounding moves a number; one that moves farther was cut off
  static constexpr float8_e4m3 from(float x) { return float8_e4m3::from(x); }
  static constexpr float to(float8_e4m3 x) { return x; }
};
static_assert(plain_format<f8_e4m3> && !native_format<f8_e4m3>);

/// 8 bits: 3 bits of precision, from 2^-16 up to 57344; larger numbers become infinite, as in PyTorch's float8_e5m2.
/// Arithmetic is in single precision.
struct f8_e5m2 : plain<f8_e5m2, float8_e5m2, float> {
  static constexpr const char* name = "f8_e5m2";
  static constexpr float8_e5m2 from(float x) { return float8_e5m2::from(x); }
  static constexpr float to(float8_e5m2 x) { return x; }
};
static_assert(plain_format<f8_e5m2> && !native_format<f8_e5m2>);

}}  // namespace ctlm
