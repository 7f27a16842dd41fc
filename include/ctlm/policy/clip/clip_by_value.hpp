// SPDX-License-Identifier: MIT
// ctlm: gradients, each cut off at a limit.
#pragma once

#include "clip.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Every gradient becomes at least -value and at most value (torch.nn.utils.clip_grad_value_).
struct clip_by_value {
  struct options {
    float value = 1.0f;  ///< the largest magnitude that a gradient keeps; above 0
  };
  static constexpr failure problem_of(const options& o) { return positive(static_cast<double>(o.value), "clip.value"); }
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* g, double, const options& o) {
    const T most = T(o.value);
    elementwise(
        backend, n,
        [=](auto& v) {
          using V = std::remove_reference_t<decltype(v)>;
          using math::max;
          using math::min;
          v = max(min(v, constant<V>(most)), constant<V>(-most));
        },
        g);
  }
};
static_assert(clip_policy<clip_by_value>);

}}  // namespace ctlm
