// SPDX-License-Identifier: MIT
// ctlm: AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch computes it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct adamw {
  static constexpr const char* name = "adamw";
  static constexpr std::size_t moments = 2;

  struct options {
    float lr = 1e-3f;
    float beta1 = 0.9f;
    float beta2 = 0.999f;
    float eps = 1e-8f;
    float weight_decay = 0.01f;  // of matrices
  };

  static constexpr failure problem_of(const options& o) {
    return first_problem(not_negative(static_cast<double>(o.lr), "optimizer.lr"),
                         below_one(static_cast<double>(o.beta1), "optimizer.beta1"),
                         below_one(static_cast<double>(o.beta2), "optimizer.beta2"),
                         positive(static_cast<double>(o.eps), "optimizer.eps"),
                         not_negative(static_cast<double>(o.weight_decay), "optimizer.weight_decay"));
  }

  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const update& u) {
    const auto steps = static_cast<double>(u.step);
    const T beta1 = T(o.beta1), beta2 = T(o.beta2), rest1 = T(1) - beta1, rest2 = T(1) - beta2;
    const T keep = T(1 - (u.decay ? u.lr * static_cast<double>(o.weight_decay) : 0));
    const T rate = T(u.lr / (1 - math::pow(static_cast<double>(o.beta1), steps)));
    const T correction = T(1 / math::sqrt(1 - math::pow(static_cast<double>(o.beta2), steps)));
    const T eps = T(o.eps), scale = T(u.gradient_scale);
    elementwise(
        backend, n,
        [=](auto& weight, auto& mean, auto& square, const auto& gradient) {
          using math::sqrt;
          const auto d = gradient * scale;
          mean = mean * beta1 + d * rest1;
          square = square * beta2 + d * d * rest2;
          weight = weight * keep - mean * rate / (sqrt(square) * correction + eps);
        },
        w, moment[0], moment[1], g);
  }
};
static_assert(optimizer_policy<adamw>);

}}  // namespace ctlm
