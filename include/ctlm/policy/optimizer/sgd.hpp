// SPDX-License-Identifier: MIT
// ctlm: stochastic gradient descent with momentum (Polyak 1964), as PyTorch computes it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct sgd {
  static constexpr const char* name = "sgd";
  static constexpr std::size_t moments = 1;

  struct options {
    float lr = 1e-2f;
    float momentum = 0.9f;
    float weight_decay = 0.0f;  // of matrices, added to the gradient
  };

  static constexpr failure problem_of(const options& o) {
    return first_problem(not_negative(static_cast<double>(o.lr), "optimizer.lr"),
                         below_one(static_cast<double>(o.momentum), "optimizer.momentum"),
                         not_negative(static_cast<double>(o.weight_decay), "optimizer.weight_decay"));
  }

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
