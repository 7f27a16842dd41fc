// SPDX-License-Identifier: MIT
// ctlm: IEEE half precision: 11 bits of precision, up to 65504.
#pragma once

#include "float16.hpp"
#include "plain.hpp"

namespace ctlm::inline CTLM_ABI {

struct f16 : plain<f16, std::uint16_t, float> {
  static constexpr const char* name = "f16";
  static constexpr std::uint16_t from(float x) { return float_to_half(x); }
  static constexpr float to(std::uint16_t x) { return half_to_float(x); }
};
static_assert(plain_format<f16> && !native_format<f16>);

}  // namespace ctlm::inline CTLM_ABI
