// SPDX-License-Identifier: MIT
// ctlm: GELU (Hendrycks and Gimpel 2016), exact and with the tanh approximation that GPT-2 uses, and GEGLU.
#pragma once

#include "activation.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// x * Phi(x), Phi the normal distribution.
struct gelu {
  static constexpr const char* name = "gelu";
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    return x * normal_cdf(x);
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    using math::exp;
    return normal_cdf(x) + x * constant<V>(0.3989422804014327) * exp(constant<V>(-0.5) * x * x);
  }

 private:
  template <class V>
  static constexpr V normal_cdf(const V& x) {
    using math::erf;
    return constant<V>(0.5) * (constant<V>(1) + erf(x * constant<V>(0.7071067811865476)));
  }
};

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the approximation of GELU that GPT-2 uses.
struct gelu_tanh {
  static constexpr const char* name = "gelu_tanh";
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    return x * logistic(twice_inner(x));  // (1 + tanh u) / 2 is the logistic function of 2u
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    const logistic_slope<V> s(twice_inner(x));
    return s.value + x * s.slope * (constant<V>(2 * root) * (constant<V>(1) + constant<V>(3 * cubic) * x * x));
  }

 private:
  static constexpr double root = 0.7978845608028654;
  static constexpr double cubic = 0.044715;
  template <class V>
  static constexpr V twice_inner(const V& x) {
    return constant<V>(2 * root) * (x + constant<V>(cubic) * x * x * x);
  }
};

/// gelu(gate) * up (Shazeer 2020).
struct geglu : gated_form<gelu> {
  static constexpr const char* name = "geglu";
};
/// gelu_tanh(gate) * up.
struct geglu_tanh : gated_form<gelu_tanh> {
  static constexpr const char* name = "geglu_tanh";
};
static_assert(activation_function<gelu> && activation_function<gelu_tanh> && geglu::gated);

}}  // namespace ctlm
