// SPDX-License-Identifier: MIT
// ctlm: logits that stay within a cap, forward and backward (Gemma 2: Gemma Team 2024).
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Logits x become cap * tanh(x / cap).
template <class Backend, executor E, class T>
constexpr void cap_logits(Backend backend, E& exec, std::size_t n, T cap, T* logits) {
  const T inward = T(1) / cap;
  parallel_for(exec, n, 4096, [&](std::size_t first, std::size_t count, std::size_t) {
    elementwise(
        backend, count,
        [=](auto& v) {
          using math::tanh;
          v = tanh(v * inward) * cap;
        },
        logits + first);
  });
}

/// Gradients of capped logits become those of the logits before.
template <class Backend, executor E, class T>
constexpr void cap_logits_backward(Backend backend, E& exec, std::size_t n, T cap, const T* capped, T* gradients) {
  const T inward = T(1) / cap;
  parallel_for(exec, n, 4096, [&](std::size_t first, std::size_t count, std::size_t) {
    elementwise(
        backend, count,
        [=](auto& g, const auto& v) {
          const auto along = v * inward;
          g = g * (constant<std::remove_cvref_t<decltype(along)>>(1) - along * along);
        },
        gradients + first, capped + first);
  });
}

}}  // namespace ctlm
