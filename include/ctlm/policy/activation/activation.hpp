// SPDX-License-Identifier: MIT
// ctlm: what an activation function is.
//
// value and derivative are written once, over a scalar or a SIMD batch alike: they call exp, tanh, max... unqualified,
// which finds ctlm::math for scalars and xsimd for batches.
#pragma once

#include "../../core/math.hpp"

#include <concepts>

namespace ctlm::inline CTLM_ABI {

template <class A>
concept activation_function = requires(double x) {
  { A::name } -> std::convertible_to<const char*>;
  { A::gated } -> std::convertible_to<bool>;
  { A::value(x) } -> std::same_as<double>;
  { A::derivative(x) } -> std::same_as<double>;
};

/// How far the values of an activation over SIMD batches in single precision are from the exact ones at most, relative
/// to the larger of 1 and |x|; and its derivatives, as they are.
inline constexpr double activation_accuracy = 2e-6;  // NEON; half of it on x86

/// 1 / (1 + e^-x), for scalars and batches.
template <class V>
constexpr V logistic(const V& x) {
  using math::exp;
  return constant<V>(1) / (constant<V>(1) + exp(-x));
}

/// The gated form of an activation: the feed-forward layer computes f(gate) * up, with two projections instead of one
/// (Shazeer 2020, "GLU Variants Improve Transformer").
template <activation_function F>
struct gated_form : F {
  static constexpr bool gated = true;
};

}  // namespace ctlm::inline CTLM_ABI
