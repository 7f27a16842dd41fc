// SPDX-License-Identifier: MIT
// ctlm: IEEE double precision: models that are checked against finite differences.
#pragma once

#include "plain.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// IEEE double precision: for models that are checked against finite differences.
struct f64 : plain<f64, double, double> {
  static constexpr const char* name = "f64";
  static constexpr double from(double x) { return x; }
  static constexpr double to(double x) { return x; }
};
static_assert(native_format<f64>);

}}  // namespace ctlm
