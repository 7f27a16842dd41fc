// SPDX-License-Identifier: MIT
// ctlm: AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch computes it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// AdamW. With g the gradient: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, then
/// w = w (1 - lr weight_decay) - lr m' / (sqrt(v') + eps), where m' and v' are m and v corrected for their start at 0.
/// State: 2 numbers for each weight.
struct adamw {
  static constexpr const char* name = "adamw";
  static constexpr std::size_t moments = 2;
  static constexpr moment_kind moment_kinds[moments] = {moment_kind::mean, moment_kind::square};

  struct options {
    float lr = 1e-3f;            ///< the learning rate that the schedule is given; at least 0
    float beta1 = 0.9f;          ///< how much of the mean of gradients stays at each step; at least 0, less than 1
    float beta2 = 0.999f;        ///< how much of the mean of squares stays at each step; at least 0, less than 1
    float eps = 1e-8f;           ///< added to the root of the mean square; above 0
    float weight_decay = 0.01f;  ///< at each step, matrices lose lr * weight_decay of themselves; at least 0
  };

  static constexpr failure problem_of(const options& o) {
    return option_rules()
        .not_negative(o.lr, "optimizer.lr")
        .below_one(o.beta1, "optimizer.beta1")
        .below_one(o.beta2, "optimizer.beta2")
        .positive(o.eps, "optimizer.eps")
        .not_negative(o.weight_decay, "optimizer.weight_decay");
  }

  /// What one step multiplies with: the same for all weights that decay, or that do not.
  template <class T>
  struct factors {
    T beta1, rest1, beta2, rest2, keep, rate, correction, eps, scale;  ///< as apply() names them
  };
  /// Those of a step.
  template <class T>
  static constexpr factors<T> factors_of(const options& o, const update& u) {
    const auto steps = static_cast<double>(u.step);
    const T beta1 = T(o.beta1), beta2 = T(o.beta2);
    return {.beta1 = beta1,
            .rest1 = T(1) - beta1,
            .beta2 = beta2,
            .rest2 = T(1) - beta2,
            .keep = T(1 - (u.decay ? u.lr * static_cast<double>(o.weight_decay) : 0)),
            .rate = T(u.lr / (1 - math::pow(static_cast<double>(o.beta1), steps))),
            .correction = T(1 / math::sqrt(1 - math::pow(static_cast<double>(o.beta2), steps))),
            .eps = T(o.eps),
            .scale = T(u.gradient_scale)};
  }

  /// One update of n weights w from their gradients g; moment[0] holds their m, moment[1] their v.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    apply(backend, n, w, g, moment, factors_of<T>(o, u));
  }
  /// The same with factors that are known, for many short stretches of weights.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const factors<T>& f) {
    elementwise(
        backend, n,
        [=](auto& weight, auto& mean, auto& square, const auto& gradient) {
          using math::sqrt;
          const auto d = gradient * f.scale;
          mean = mean * f.beta1 + d * f.rest1;
          square = square * f.beta2 + d * d * f.rest2;
          weight = weight * f.keep - mean * f.rate / (sqrt(square) * f.correction + f.eps);
        },
        w, moment[0], moment[1], g);
  }
};
static_assert(optimizer_policy<adamw>);

}}  // namespace ctlm
