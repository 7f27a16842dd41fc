// SPDX-License-Identifier: MIT
// ctlm: how far one distribution is from another, both given as logits.
#pragma once

#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace divergence_detail {

/// Sums in single precision are made over so many numbers at a time, and added up in double.
inline constexpr std::size_t stretch = 1024;

}  // namespace divergence_detail

/// log(sum of the exponentials of n logits), the logits unchanged. NaN or +infinity where one of them is not finite.
template <class Backend, class T>
constexpr double log_of_sum(Backend backend, std::size_t n, const T* logits) {
  const T peak = maximum(backend, n, logits);
  double total = 0;
  for (std::size_t i = 0; i < n; i += divergence_detail::stretch)
    total += static_cast<double>(sum(
        backend, smaller(divergence_detail::stretch, n - i),
        [=](const auto& v) {
          using math::exp;
          return exp(v - peak);
        },
        logits + i));
  return static_cast<double>(peak) + math::log(total);
}

/// The divergence of Kullback and Leibler from `expected` to `found`, in nats: sum of p log(p / q), where p and q are
/// what the n logits of each become by softmax. `log_sum` is log_of_sum(expected). Not finite where a logit is not.
template <class Backend, class T>
constexpr double divergence(Backend backend, std::size_t n, const T* expected, double log_sum, const T* found) {
  const T shift = static_cast<T>(log_sum);
  double total = 0, mass = 0;
  for (std::size_t i = 0; i < n; i += divergence_detail::stretch) {
    const std::size_t count = smaller(divergence_detail::stretch, n - i);
    total += static_cast<double>(sum(
        backend, count,
        [=](const auto& a, const auto& b) {
          using math::exp;
          return exp(a - shift) * (a - b);
        },
        expected + i, found + i));
    mass += static_cast<double>(sum(
        backend, count,
        [=](const auto& a) {
          using math::exp;
          return exp(a - shift);
        },
        expected + i));
  }
  return total / mass + log_of_sum(backend, n, found) - log_sum;
}

}}  // namespace ctlm
