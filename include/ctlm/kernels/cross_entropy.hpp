// SPDX-License-Identifier: MIT
// ctlm: softmax and cross entropy of a row of logits.
#pragma once

#include "../core/executor.hpp"
#include "primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Turns logits into scale * probabilities in place; returns log(sum of exponentials), by which each logit exceeds its
/// log probability. A row passes through the caches twice: its exponentials are taken a stretch at a time, over the
/// highest logit so far (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
/// A logit of -infinity has probability 0; if all of them are, the probabilities are equal, and the result -infinity.
/// A NaN or +infinity makes everything NaN.
template <class Backend, class T>
constexpr T softmax(Backend backend, std::size_t n, T* x, T scale = T(1)) {
  constexpr std::size_t most_stretches = 64;
  const std::size_t stretch = larger(2048, ceil_div(n, most_stretches));
  T peaks[most_stretches]{};
  constexpr T nothing = -std::numeric_limits<T>::infinity();
  T peak = nothing, total = T(0);
  for (std::size_t i = 0; i < n; i += stretch) {
    const std::size_t count = smaller(stretch, n - i);
    const T highest = math::max(peak, maximum(backend, count, static_cast<const T*>(x + i)));
    const T shift = highest == nothing ? T(0) : highest;
    const T here = sum(
        backend, count,
        [=](auto& v) {
          using math::exp;
          v = exp(v - shift);
          return v;
        },
        x + i);
    total = total * math::exp(peak - shift) + here;
    peaks[i / stretch] = peak = highest;
  }
  if (total == T(0)) {
    for (std::size_t i = 0; i < n; ++i) x[i] = scale / static_cast<T>(n);
    return nothing;
  }
  for (std::size_t i = 0; i < n; i += stretch) {
    const T factor = math::exp(peaks[i / stretch] - peak) * (scale / total);
    elementwise(
        backend, smaller(stretch, n - i), [=](auto& v) { v *= factor; }, x + i);
  }
  return peak + math::log(total);
}

/// -log probability of one of n logits, given the log of the sum of their exponentials.
template <class T>
constexpr T surprise(std::size_t n, T log_sum, T logit) {
  return log_sum == -std::numeric_limits<T>::infinity() ? math::log(static_cast<T>(n)) : log_sum - logit;
}

/// -log softmax(logits)[target], without changing the logits. Exponentials are added up a stretch at a time: a single
/// sum over a large vocabulary in single precision would round so often that the result shows it.
template <class Backend, class T>
constexpr T negative_log_likelihood(Backend backend, std::size_t n, const T* logits, std::size_t target) {
  const T peak = maximum(backend, n, logits);
  if (peak == -std::numeric_limits<T>::infinity() && math::largest_magnitude(n, logits) == math::infinite_bits<T>)
    return math::log(static_cast<T>(n));  // all logits are -infinity: equal probabilities
  constexpr std::size_t stretch = 512;
  T total = T(0);
  for (std::size_t i = 0; i < n; i += stretch)
    total += sum(
        backend, smaller(stretch, n - i),
        [=](const auto& v) {
          using math::exp;
          return exp(v - peak);
        },
        logits + i);
  return peak + math::log(total) - logits[target];
}

/// Losses of `rows` rows of logits, which become the gradients scale * (softmax - one hot), or zero for ignored
/// targets.
template <class Backend, executor E, class T>
constexpr void cross_entropy(Backend backend, E& exec, std::size_t rows, std::size_t n, T* logits, const token* targets,
                             T scale, T* losses) {
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
      const T logit = x[target];
      losses[r] = surprise(n, softmax(backend, n, x, scale), logit);
      x[target] -= scale;
    }
  });
}

/// The same against a teacher's distribution instead of a token: its logits, which become its probabilities. The loss
/// is the cross entropy between the two, so that its gradient is that of the Kullback-Leibler divergence (Hinton,
/// Vinyals, Dean 2015).
template <class Backend, executor E, class T>
constexpr void soft_cross_entropy(Backend backend, E& exec, std::size_t rows, std::size_t n, T* logits, T* teacher,
                                  T scale, T* losses) {
  parallel_for(exec, rows, larger(1, 8192 / n), [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t r = first; r < first + count; ++r) {
      T* x = logits + r * n;
      T* p = teacher + r * n;
      softmax(backend, n, p);
      const T expected = sum(
          backend, n, [](const auto& a, const auto& b) { return a * b; }, static_cast<const T*>(x),
          static_cast<const T*>(p));
      losses[r] = softmax(backend, n, x) - expected;
      elementwise(
          backend, n, [=](auto& v, const auto& q) { v = (v - q) * scale; }, x, static_cast<const T*>(p));
    }
  });
}

}}  // namespace ctlm
