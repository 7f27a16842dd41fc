// SPDX-License-Identifier: MIT
// ctlm: the logistic function as an activation.
#pragma once

#include "activation.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 1 / (1 + e^-x).
struct sigmoid_activation {
  static constexpr const char* name = "sigmoid";
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    return logistic(x);
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    return logistic_slope<V>(x).slope;
  }
};
static_assert(activation_function<sigmoid_activation>);

}}  // namespace ctlm
