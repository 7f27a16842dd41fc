// SPDX-License-Identifier: MIT
// ctlm: RMSprop (Tieleman and Hinton 2012), plain and centered (Graves 2013), as PyTorch computes it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// RMSprop. With g the gradient plus weight_decay * w: v = alpha v + (1 - alpha) g^2, then
/// velocity = momentum * velocity + g / (sqrt(v) + eps), and w -= lr * velocity. Centered: the square of a mean of
/// gradients is taken from v before the root, which leaves their variance.
template <bool centered>
struct rmsprop_of {
  static constexpr const char* name = centered ? "centered rmsprop" : "rmsprop";
  static constexpr std::size_t moments = centered ? 3 : 2;
  /// A velocity is not a mean of gradients. Centered, the square must fit the mean, and both begin again.
  static constexpr moment_kind moment_kinds[moments] = {centered ? moment_kind::other : moment_kind::square};

  struct options {
    float lr = 1e-2f;           ///< the learning rate that the schedule is given; at least 0
    float alpha = 0.99f;        ///< how much of the mean of squares stays at each step; at least 0, less than 1
    float eps = 1e-8f;          ///< added to the root of the mean square; above 0
    float momentum = 0.0f;      ///< how much of the velocity stays at each step; at least 0, less than 1
    float weight_decay = 0.0f;  ///< times a matrix's weight, added to its gradient; at least 0
  };

  static constexpr failure problem_of(const options& o) {
    return option_rules()
        .not_negative(o.lr, "optimizer.lr")
        .below_one(o.alpha, "optimizer.alpha")
        .positive(o.eps, "optimizer.eps")
        .below_one(o.momentum, "optimizer.momentum")
        .not_negative(o.weight_decay, "optimizer.weight_decay");
  }

  /// One update of n weights w from their gradients g; moment[0] holds their mean squares, moment[1] their velocities,
  /// moment[2] their means.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    const T alpha = T(o.alpha), rest = T(1) - alpha, eps = T(o.eps), momentum = T(o.momentum);
    const T decay = T(u.decay ? o.weight_decay : 0.0f), rate = T(u.lr), scale = T(u.gradient_scale);
    if constexpr (centered)
      elementwise(
          backend, n,
          [=](auto& weight, auto& square, auto& velocity, auto& mean, const auto& gradient) {
            using math::max;
            using math::sqrt;
            using V = std::remove_reference_t<decltype(square)>;
            const auto d = gradient * scale + weight * decay;
            square = square * alpha + d * d * rest;
            mean = mean * alpha + d * rest;
            const V variance = square - mean * mean;  // never below 0 but by rounding
            velocity = velocity * momentum + d / (sqrt(max(variance, constant<V>(0))) + eps);
            weight = weight - velocity * rate;
          },
          w, moment[0], moment[1], moment[2], g);
    else
      elementwise(
          backend, n,
          [=](auto& weight, auto& square, auto& velocity, const auto& gradient) {
            using math::sqrt;
            const auto d = gradient * scale + weight * decay;
            square = square * alpha + d * d * rest;
            velocity = velocity * momentum + d / (sqrt(square) + eps);
            weight = weight - velocity * rate;
          },
          w, moment[0], moment[1], g);
  }
};

/// RMSprop: rmsprop_of says the formula. State: 2 numbers for each weight.
struct rmsprop : rmsprop_of<false> {};
/// The same, centered. State: 3 numbers for each weight.
struct centered_rmsprop : rmsprop_of<true> {};
static_assert(elementwise_optimizer<rmsprop> && elementwise_optimizer<centered_rmsprop>);

}}  // namespace ctlm
