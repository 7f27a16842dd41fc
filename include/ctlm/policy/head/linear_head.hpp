// SPDX-License-Identifier: MIT
// ctlm: the linear layer that most heads with weights of their own are.
#pragma once

#include "sequence_head.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of a vector x, W x + b with W [Outputs][d] and b [Outputs]. Heads derive from it and say what their loss is.
template <std::size_t Outputs, pooling_policy Pooling>
struct linear_head {
  using pooling = Pooling;                         ///< how rows become a vector
  static constexpr std::size_t outputs = Outputs;  ///< numbers of a sequence

  /// W and b.
  static constexpr head_tensors tensors(std::size_t d) {
    return {{{"score.weight", Outputs, d, true}, {"score.bias", 1, Outputs, false}}};
  }
  template <class Backend, class T>
  static constexpr void forward(Backend backend, head_numbers<const T> w, std::size_t d, const T* vector, T* out) {
    for (std::size_t i = 0; i < Outputs; ++i)
      out[i] = w[1][i] + sum(
                             backend, d, [](const auto& a, const auto& b) { return a * b; }, w[0] + i * d, vector);
  }
  template <class Backend, class T>
  static constexpr void backward(Backend backend, head_numbers<const T> w, head_numbers<T> g, std::size_t d,
                                 const T* vector, const T* dout, T* dvector) {
    for (std::size_t j = 0; j < d; ++j) dvector[j] = 0;
    for (std::size_t i = 0; i < Outputs; ++i) {
      const T slope = dout[i];
      g[1][i] += slope;
      elementwise(
          backend, d, [=](auto& to, const auto& x) { to = to + x * slope; }, g[0] + i * d, vector);
      elementwise(
          backend, d, [=](auto& to, const auto& x) { to = to + x * slope; }, dvector, w[0] + i * d);
    }
  }
};

}}  // namespace ctlm
