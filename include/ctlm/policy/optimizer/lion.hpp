// SPDX-License-Identifier: MIT
// ctlm: Lion: steps of equal size along the sign of a mean of gradients (Chen et al. 2023, "Symbolic Discovery of
// Optimization Algorithms").
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Lion. With g the gradient: w = w (1 - lr weight_decay) - lr sign(beta1 m + (1 - beta1) g), then
/// m = beta2 m + (1 - beta2) g. Its rate is 3 to 10 times smaller than AdamW's, its decay as many times larger.
/// State: 1 number for each weight.
struct lion {
  static constexpr const char* name = "lion";
  static constexpr std::size_t moments = 1;
  static constexpr moment_kind moment_kinds[moments] = {moment_kind::mean};

  struct options {
    float lr = 1e-4f;           ///< the learning rate that the schedule is given: the length of every step; at least 0
    float beta1 = 0.9f;         ///< how much of the mean decides the direction; at least 0, less than 1
    float beta2 = 0.99f;        ///< how much of the mean stays at each step; at least 0, less than 1
    float weight_decay = 0.0f;  ///< at each step, matrices lose lr * weight_decay of themselves; at least 0
  };

  static constexpr failure problem_of(const options& o) {
    return option_rules()
        .not_negative(o.lr, "optimizer.lr")
        .below_one(o.beta1, "optimizer.beta1")
        .below_one(o.beta2, "optimizer.beta2")
        .not_negative(o.weight_decay, "optimizer.weight_decay");
  }

  /// One update of n weights w from their gradients g; moment[0] holds their means.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    const T beta1 = T(o.beta1), beta2 = T(o.beta2), rest1 = T(1) - beta1, rest2 = T(1) - beta2;
    const T rate = T(u.lr), scale = T(u.gradient_scale);
    const T keep = T(1 - (u.decay ? u.lr * static_cast<double>(o.weight_decay) : 0));
    elementwise(
        backend, n,
        [=](auto& weight, auto& mean, const auto& gradient) {
          const auto d = gradient * scale;
          weight = weight * keep - sign(mean * beta1 + d * rest1) * rate;
          mean = mean * beta2 + d * rest2;
        },
        w, moment[0], g);
  }

 private:
  template <class V>
  static constexpr V sign(const V& x) {
    using math::select;
    const V zero = constant<V>(0), one = constant<V>(1);
    return select(x > zero, one, select(x < zero, -one, zero));
  }
};
static_assert(elementwise_optimizer<lion>);

}}  // namespace ctlm
