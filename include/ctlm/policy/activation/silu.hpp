// SPDX-License-Identifier: MIT
// ctlm: SiLU, x * sigmoid(x), its generalisation Swish (Ramachandran et al. 2017), and SwiGLU.
#pragma once

#include "activation.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// x * sigmoid(beta x), beta = Numerator / Denominator.
template <int Numerator, int Denominator = 1>
struct swish {
  static_assert(Denominator != 0, "ctlm: swish<Numerator, Denominator>: the denominator of beta is zero");
  static constexpr const char* name = "swish";
  static constexpr bool gated = false;
  static constexpr double beta = static_cast<double>(Numerator) / Denominator;  ///< the factor of x inside the sigmoid
  template <class V>
  static constexpr V value(const V& x) {
    return x * logistic(constant<V>(beta) * x);
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    const logistic_slope<V> s(constant<V>(beta) * x);
    return s.value + constant<V>(beta) * x * s.slope;
  }
};

/// x * sigmoid(x) (Elfwing et al. 2017): Swish with beta 1.
struct silu : swish<1> {
  static constexpr const char* name = "silu";
};
/// silu(gate) * up (Shazeer 2020): what Llama uses.
struct swiglu : gated_form<silu> {
  static constexpr const char* name = "swiglu";
};
static_assert(activation_function<silu> && swiglu::gated);

}}  // namespace ctlm
