// SPDX-License-Identifier: MIT
// ctlm: cross entropy with smoothed targets and a price for large sums of exponentials.
#pragma once

#include "cross_entropy.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// As cross_entropy, but the target has the share 1 - smoothing, and all n outputs have smoothing / n on top (Szegedy
/// et al. 2016); and z * log(sum of exponentials)^2 is added to each loss (Chowdhery et al. 2022, "PaLM"), which keeps
/// logits near 0.
template <class Backend, executor E, class T>
constexpr void smoothed_cross_entropy(Backend backend, E& exec, std::size_t rows, std::size_t n, T* logits,
                                      const token* targets, T smoothing, T z, T scale, T* losses) {
  parallel_for(exec, rows, larger(1, 8192 / n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = first; r < first + count; ++r) {
      T* x = logits + r * n;
      if (targets[r] == ignore_token) {
        losses[r] = T(0);
        elementwise(
            backend, n, [](auto& v) { v = constant<std::remove_reference_t<decltype(v)>>(0); }, x);
        continue;
      }
      const auto target = static_cast<std::size_t>(targets[r]);
      const T logit = x[target], part = smoothing / static_cast<T>(n);
      const T all = sum(
          backend, n, [](const auto& v) { return v; }, static_cast<const T*>(x));
      const T log_sum = softmax(backend, n, x);
      losses[r] = log_sum - (T(1) - smoothing) * logit - part * all + z * log_sum * log_sum;
      const T factor = scale * (T(1) + T(2) * z * log_sum), off = scale * part;
      elementwise(
          backend, n, [=](auto& v) { v = v * factor - off; }, x);
      x[target] -= scale * (T(1) - smoothing);
    }
  });
}

/// Cross entropy whose rows count differently: gradients are weights[r / length] * scale times those of
/// negative log likelihoods, which losses receive. Rows with the target ignore_token have losses and gradients of 0.
template <class Backend, executor E, class T>
constexpr void weighted_cross_entropy(Backend backend, E& exec, std::size_t first_row, std::size_t rows, std::size_t n,
                                      T* logits, const token* targets, const T* weights, std::size_t length, T scale,
                                      T* losses) {
  parallel_for(exec, rows, larger(1, 8192 / n), [&](std::size_t first, std::size_t count, std::size_t) {
    serial alone;
    for (std::size_t r = first; r < first + count; ++r)
      cross_entropy(backend, alone, 1, n, logits + r * n, targets + r, scale * weights[(first_row + r) / length],
                    losses + r);
  });
}

}}  // namespace ctlm
