// SPDX-License-Identifier: MIT
// ctlm: the hyperbolic tangent as an activation.
#pragma once

#include "activation.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The hyperbolic tangent of x.
struct tanh_activation {
  static constexpr const char* name = "tanh";
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    using math::tanh;
    return tanh(x);
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    const V t = value(x);
    return constant<V>(1) - t * t;
  }
};
static_assert(activation_function<tanh_activation>);

}}  // namespace ctlm
