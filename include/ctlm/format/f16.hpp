// SPDX-License-Identifier: MIT
// ctlm: IEEE half precision: 11 bits of precision, up to 65504.
#pragma once

#include "float16.hpp"
#include "plain.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// IEEE half precision: 11 bits of precision, numbers up to 65504. Arithmetic is in single precision.
struct f16 : plain<f16, half, float> {
  static constexpr const char* name = "f16";
  static constexpr half from(float x) { return half::from(x); }
  static constexpr float to(half x) { return x; }
};
static_assert(plain_format<f16> && !native_format<f16>);

}}  // namespace ctlm
