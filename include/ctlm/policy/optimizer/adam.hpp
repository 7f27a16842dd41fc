// SPDX-License-Identifier: MIT
// ctlm: Adam (Kingma and Ba 2015), with weight decay as a part of the gradient, as PyTorch computes it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Adam. With g the gradient plus weight_decay * w: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, then
/// w -= lr m' / (sqrt(v') + eps), where m' and v' are m and v corrected for their start at 0. `adamw` is usually
/// better: its decay does not depend on how large the gradients are. State: 2 numbers for each weight.
struct adam {
  static constexpr const char* name = "adam";
  static constexpr std::size_t moments = 2;
  static constexpr moment_kind moment_kinds[moments] = {moment_kind::mean, moment_kind::square};

  struct options {
    float lr = 1e-3f;           ///< the learning rate that the schedule is given; at least 0
    float beta1 = 0.9f;         ///< how much of the mean of gradients stays at each step; at least 0, less than 1
    float beta2 = 0.999f;       ///< how much of the mean of squares stays at each step; at least 0, less than 1
    float eps = 1e-8f;          ///< added to the root of the mean square; above 0
    float weight_decay = 0.0f;  ///< times a matrix's weight, added to its gradient; at least 0
  };

  static constexpr failure problem_of(const options& o) {
    return option_rules()
        .not_negative(o.lr, "optimizer.lr")
        .below_one(o.beta1, "optimizer.beta1")
        .below_one(o.beta2, "optimizer.beta2")
        .positive(o.eps, "optimizer.eps")
        .not_negative(o.weight_decay, "optimizer.weight_decay");
  }

  /// One update of n weights w from their gradients g; moment[0] holds their m, moment[1] their v.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    const auto steps = static_cast<double>(u.step);
    const T beta1 = T(o.beta1), beta2 = T(o.beta2), rest1 = T(1) - beta1, rest2 = T(1) - beta2;
    const T rate = T(u.lr / (1 - math::pow(static_cast<double>(o.beta1), steps)));
    const T correction = T(1 / math::sqrt(1 - math::pow(static_cast<double>(o.beta2), steps)));
    const T eps = T(o.eps), scale = T(u.gradient_scale), decay = T(u.decay ? o.weight_decay : 0.0f);
    elementwise(
        backend, n,
        [=](auto& weight, auto& mean, auto& square, const auto& gradient) {
          using math::sqrt;
          const auto d = gradient * scale + weight * decay;
          mean = mean * beta1 + d * rest1;
          square = square * beta2 + d * d * rest2;
          weight = weight - mean * rate / (sqrt(square) * correction + eps);
        },
        w, moment[0], moment[1], g);
  }
};
static_assert(elementwise_optimizer<adam>);

}}  // namespace ctlm
