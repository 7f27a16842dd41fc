// SPDX-License-Identifier: MIT
// ctlm: stochastic gradient descent with momentum (Polyak 1964), as PyTorch computes it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Gradient descent with momentum: velocity = momentum * velocity + g + weight_decay * w, then w -= lr * velocity.
/// State: 1 number for each weight.
struct sgd {
  static constexpr const char* name = "sgd";
  static constexpr std::size_t moments = 1;

  struct options {
    float lr = 1e-2f;           ///< the learning rate that the schedule is given; at least 0
    float momentum = 0.9f;      ///< how much of the velocity stays at each step; at least 0, less than 1
    float weight_decay = 0.0f;  ///< times a matrix's weight, added to its gradient; at least 0
  };

  static constexpr failure problem_of(const options& o) {
    return first_problem(not_negative(static_cast<double>(o.lr), "optimizer.lr"),
                         below_one(static_cast<double>(o.momentum), "optimizer.momentum"),
                         not_negative(static_cast<double>(o.weight_decay), "optimizer.weight_decay"));
  }

  /// One update of n weights w from their gradients g; moment[0] holds their velocities.
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    const T decay = T(u.decay ? o.weight_decay : 0.0f), momentum = T(o.momentum);
    const T rate = T(u.lr), scale = T(u.gradient_scale);
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
