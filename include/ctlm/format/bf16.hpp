// SPDX-License-Identifier: MIT
// ctlm: bfloat16: 8 bits of precision, the range of single precision.
#pragma once

#include "float16.hpp"
#include "plain.hpp"

namespace ctlm::inline CTLM_ABI {

struct bf16 : plain<bf16, std::uint16_t, float> {
  static constexpr const char* name = "bf16";
  static constexpr std::uint16_t from(float x) { return float_to_bfloat(x); }
  static constexpr float to(std::uint16_t x) { return bfloat_to_float(x); }
};
static_assert(plain_format<bf16> && !native_format<bf16>);

}  // namespace ctlm::inline CTLM_ABI
