// SPDX-License-Identifier: MIT
// ctlm: stochastic gradient descent with momentum (Polyak 1964), that of Nesterov (1983) among it, as PyTorch computes
// it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Gradient descent with momentum. With g the gradient plus weight_decay * w:
/// velocity = momentum * velocity + (1 - dampening) g (the first step is not dampened), then w -= lr * velocity; with
/// nesterov, w -= lr * (g + momentum * velocity). State: 1 number for each weight.
struct sgd {
  static constexpr const char* name = "sgd";
  static constexpr std::size_t moments = 1;
  static constexpr moment_kind moment_kinds[moments] = {moment_kind::mean};

  struct options {
    float lr = 1e-2f;           ///< the learning rate that the schedule is given; at least 0
    float momentum = 0.9f;      ///< how much of the velocity stays at each step; at least 0, less than 1
    float weight_decay = 0.0f;  ///< times a matrix's weight, added to its gradient; at least 0
    float dampening = 0.0f;     ///< how much of each gradient the velocity leaves out; at least 0, less than 1
    bool nesterov = false;      ///< whether a step looks ahead along the velocity; not together with dampening
  };

  static constexpr failure problem_of(const options& o) {
    return option_rules()
        .not_negative(o.lr, "optimizer.lr")
        .below_one(o.momentum, "optimizer.momentum")
        .not_negative(o.weight_decay, "optimizer.weight_decay")
        .below_one(o.dampening, "optimizer.dampening")
        .rule(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
              "ctlm: {name} needs a momentum above 0 and a dampening of 0", "optimizer.nesterov");
  }

  /// One update of n weights w from their gradients g; moment[0] holds their velocities.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    const T decay = T(u.decay ? o.weight_decay : 0.0f), momentum = T(o.momentum);
    const T rate = T(u.lr), scale = T(u.gradient_scale);
    if (o.nesterov || o.dampening > 0) {
      const T part = T(u.step == 1 ? 1.0f : 1 - o.dampening), now = T(o.nesterov ? 1 : 0),
              later = o.nesterov ? momentum : T(1);
      return elementwise(
          backend, n,
          [=](auto& weight, auto& velocity, const auto& gradient) {
            const auto d = gradient * scale + weight * decay;
            velocity = velocity * momentum + d * part;
            weight = weight - (d * now + velocity * later) * rate;
          },
          w, moment[0], g);
    }
    elementwise(
        backend, n,
        [=](auto& weight, auto& velocity, const auto& gradient) {
          velocity = velocity * momentum + (gradient * scale + weight * decay);
          weight = weight - velocity * rate;
        },
        w, moment[0], g);
  }
};
static_assert(optimizer_policy<sgd>);

}}  // namespace ctlm
