// SPDX-License-Identifier: MIT
// ctlm: what an activation function is.
//
// value and derivative are written once, over a scalar or a SIMD batch alike: they call exp, tanh, max... unqualified,
// which finds ctlm::math for scalars and xsimd for batches.
#pragma once

#include "../../core/math.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// A::value(x) is the activation and A::derivative(x) its slope, for a scalar or a SIMD batch x. With A::gated, a
/// feed-forward layer computes value(gate) * up instead of value(up). A::name identifies the activation in files.
template <class A>
concept activation_function = requires(double x) {
  { A::name } -> std::convertible_to<const char*>;
  { A::gated } -> std::convertible_to<bool>;
  { A::value(x) } -> std::same_as<double>;
  { A::derivative(x) } -> std::same_as<double>;
};

/// How far the values of an activation over SIMD batches in single precision are from the exact ones at most, relative
/// to the larger of 1 and |x|; and its derivatives, as they are.
inline constexpr double activation_accuracy = 5e-7;

/// 1 / (1 + e^-x), for scalars and batches.
template <class V>
constexpr V logistic(const V& x) {
  using math::exp;
  return constant<V>(1) / (constant<V>(1) + exp(-x));
}

/// The logistic function s of x with its slope s (1 - s). 1 - s cancels where x is large, and a factor x would make it
/// felt: with e = exp(-|x|) and r = 1 / (1 + e), s is r or e r, and its slope e r r, without a difference.
template <class V>
struct logistic_slope {
  V value, slope;  ///< the logistic function at x, and its derivative there

  /// Computes both.
  constexpr explicit logistic_slope(const V& x) : value(x), slope(x) {
    using math::exp, math::max, math::select;
    const V e = exp(-max(x, -x));
    const V r = constant<V>(1) / (constant<V>(1) + e);
    value = select(x > constant<V>(0), r, e * r);
    slope = e * r * r;
  }
};

/// The gated form of an activation: the feed-forward layer computes f(gate) * up, with two projections instead of one
/// (Shazeer 2020, "GLU Variants Improve Transformer").
template <activation_function F>
struct gated_form : F {
  static constexpr bool gated = true;
};

}}  // namespace ctlm
