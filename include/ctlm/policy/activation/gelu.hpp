// SPDX-License-Identifier: MIT
// ctlm: GELU (Hendrycks and Gimpel 2016), exact and with the tanh approximation that GPT-2 uses, and GEGLU.
#pragma once

#include "activation.hpp"

namespace ctlm::inline CTLM_ABI {

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

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
struct gelu_tanh {
  static constexpr const char* name = "gelu_tanh";
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    return x * logistic(twice_inner(x));  // (1 + tanh u) / 2 is the logistic function of 2u
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    using math::exp, math::max, math::select;
    const V u = twice_inner(x);
    const V slope = constant<V>(2 * root) * (constant<V>(1) + constant<V>(3 * cubic) * x * x);
    // slope grows with x squared, so 1 - s, which cancels for large x, would be felt: with e = exp(-|u|), s or 1 - s is
    // e r.
    const V e = exp(-max(u, -u));
    const V r = constant<V>(1) / (constant<V>(1) + e);
    return select(u > constant<V>(0), r, e * r) + x * (e * r * r) * slope;
  }

 private:
  static constexpr double root = 0.7978845608028654;
  static constexpr double cubic = 0.044715;
  template <class V>
  static constexpr V twice_inner(const V& x) {
    return constant<V>(2 * root) * (x + constant<V>(cubic) * x * x * x);
  }
};

struct geglu : gated_form<gelu> {
  static constexpr const char* name = "geglu";
};
struct geglu_tanh : gated_form<gelu_tanh> {
  static constexpr const char* name = "geglu_tanh";
};
static_assert(activation_function<gelu> && activation_function<gelu_tanh> && geglu::gated);

}  // namespace ctlm::inline CTLM_ABI
