// SPDX-License-Identifier: MIT
// ctlm: ReLU, max(0, x). Its derivative at 0 is taken as 0. NaN stays NaN, which a processor's maximum may forget.
#pragma once

#include "activation.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// max(x, 0); its derivative at 0 is 0.
struct relu {
  static constexpr const char* name = "relu";
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    using math::select;
    return select(x < constant<V>(0), constant<V>(0), x);
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    using math::select;
    return select(x > constant<V>(0), constant<V>(1), select(x <= constant<V>(0), constant<V>(0), x));
  }
};
static_assert(activation_function<relu>);

}}  // namespace ctlm
