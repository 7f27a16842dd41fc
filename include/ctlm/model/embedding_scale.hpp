// SPDX-License-Identifier: MIT
// ctlm: what some models do at their two ends: embeddings multiplied by sqrt(d_model), and logits kept within a cap
// (Gemma). Models without pay nothing.
#pragma once

#include "../kernels/ops.hpp"
#include "../spec/decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows of embeddings, or of their gradients, by the factor that the model gives them.
template <class M, class Context, class T>
constexpr void scale_embeddings([[maybe_unused]] Context& c, [[maybe_unused]] std::size_t rows, [[maybe_unused]] T* x) {
  if constexpr (M::shape.scaled_embeddings)
    scale_rows(c.backend, *c.exec, rows * M::shape.d_model, math::sqrt(static_cast<T>(M::shape.d_model)), x);
}

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
