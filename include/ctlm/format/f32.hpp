// SPDX-License-Identifier: MIT
// ctlm: IEEE single precision, the format of training.
#pragma once

#include "plain.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// IEEE single precision: the format of training, and the default of weights.
struct f32 : plain<f32, float, float> {
  static constexpr const char* name = "f32";
  static constexpr float from(float x) { return x; }
  static constexpr float to(float x) { return x; }
};
static_assert(native_format<f32>);

}}  // namespace ctlm
