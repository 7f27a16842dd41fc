// SPDX-License-Identifier: MIT
// ctlm: gradients of which the direction alone is used.
#pragma once

#include "clip.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace clip_detail {

/// Divides by the norm, unless that is 0.
template <class Backend, class T>
constexpr void divide(Backend backend, std::size_t n, T* g, double norm) {
  if (norm == 0) return;
  const T factor = T(1 / norm);
  elementwise(
      backend, n, [=](auto& v) { v *= factor; }, g);
}

}  // namespace clip_detail

/// All gradients together are divided by their norm: each step is as long as the learning rate says. No options.
struct normalise_all {
  struct options {};
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* g, double norm, const options&) {
    clip_detail::divide(backend, n, g, norm);
  }
};

/// The gradients of each tensor of each layer are divided by their own norm. What is left has the norm
/// sqrt(number of tensors), which clip_norm would make small again: set it to 0. No options.
struct normalise_tensors {
  struct options {};
  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* g, double, const options&) {
    constexpr std::size_t stretch = 1024;
    double total = 0;
    for (std::size_t i = 0; i < n; i += stretch)
      total += static_cast<double>(sum(
          backend, smaller(stretch, n - i), [](const auto& v) { return v * v; }, static_cast<const T*>(g + i)));
    clip_detail::divide(backend, n, g, math::sqrt(total));
  }
};
static_assert(clip_policy<normalise_all> && clip_policy<normalise_tensors>);

}}  // namespace ctlm
