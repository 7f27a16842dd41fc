// SPDX-License-Identifier: MIT
// ctlm: bfloat16: 8 bits of precision, the range of single precision.
#pragma once

#include "float16.hpp"
#include "plain.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// bfloat16: 8 bits of precision, the range of single precision. Arithmetic is in single precision.
struct bf16 : plain<bf16, bfloat, float> {
  static constexpr const char* name = "bf16";
  static constexpr bfloat from(float x) { return bfloat::from(x); }
  static constexpr float to(bfloat x) { return x; }
};
static_assert(plain_format<bf16> && !native_format<bf16>);

}}  // namespace ctlm
