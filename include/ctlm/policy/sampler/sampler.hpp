// SPDX-License-Identifier: MIT
// ctlm: the choice of the next token: greedy, or sampled at a temperature from the top k tokens and the top p of
// probability (Holtzman et al. 2020). Works in place on the logits: no scratch, no sorting.
#pragma once

#include "../../core/rng.hpp"
#include "../../core/span.hpp"
#include "../../kernels/cross_entropy.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Whatever the options are, the choice has a meaning or is an error in words:
///   temperature   0, less, or so small that the logits divided by it overflow: greedy. NaN and infinity: an error.
///   top_p         0 or less: greedy. NaN: an error.
///   logits        none at all, a NaN among them, all -infinity: an error. Some -infinity: never chosen. +infinity:
///                 chosen, the first of several.
struct sampler {
  static constexpr token no_stop = -1;

  float temperature = 0.0f;  // 0: greedy
  std::size_t top_k = 0;     // keep the k most likely tokens (and any that tie with the k-th); 0, or more than all: all
  float top_p = 1.0f;        // keep the fewest tokens whose probabilities reach p, and one at least; 1 or more: all
  std::uint64_t seed = 0;    // advances with every draw
  token stop = no_stop;      // generation ends when this token is chosen

  /// The chosen token. The logits become probabilities, unless the choice is greedy. Throws ctlm::error, or calls
  /// ctlm::fatal, for what is an error above.
  template <class Backend, class T>
  constexpr token choose(Backend backend, span<T> logits) {
    check_options();
    if (temperature <= 0.0f || top_p <= 0.0f || logits.empty()) return greedy(logits);
    const std::size_t n = logits.size();
    const T sharpness = T(1) / T(temperature);
    const T peak = maximum(backend, n, static_cast<const T*>(logits.data()));
    if (!math::isfinite(peak * sharpness)) return greedy(logits);
    const T difference = sum(
        backend, n,
        [=](auto& x) {
          x *= sharpness;
          return x - x;
        },
        logits.data());
    if (difference != T(0)) require_numbers(logits);  // NaN: something is not finite; -infinity may be
    softmax(backend, n, logits.data());
    if (top_k > 0 && top_k < n)
      keep_from(logits, threshold(logits, [this](std::size_t count, T) { return count >= top_k; }));
    if (top_p < 1.0f) {
      const T enough = T(top_p) * total(logits);
      keep_from(logits, threshold(logits, [=](std::size_t count, T mass) { return count > 0 && mass >= enough; }));
    }
    return draw(logits);
  }

  /// The token of the largest logit, the first of equals. Errors as above.
  template <class T>
  static constexpr token greedy(span<T> logits) {
    check(!logits.empty(), errc::invalid_argument, "ctlm: there are no logits to choose a token from");
    std::size_t best = 0;
    bool numbers = true;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      numbers &= logits[i] == logits[i];
      if (logits[i] > logits[best]) best = i;
    }
    if (!numbers) require_numbers(logits);
    check(logits[best] != -std::numeric_limits<std::remove_const_t<T>>::infinity(),
          failure{errc::invalid_argument, "ctlm: all {had} logits are -infinity: there is no token to choose", 0, 0,
                  logits.size()});
    return static_cast<token>(best);
  }

 private:
  constexpr void check_options() const {
    check(math::isfinite(temperature),
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a finite number", 0, 0, 0, "temperature"});
    check(top_p == top_p,
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a number, not NaN", 0, 0, 0, "top_p"});
  }
  template <class T>
  static constexpr void require_numbers(span<T> logits) {
    for (std::size_t i = 0; i < logits.size(); ++i)
      check(logits[i] == logits[i], failure{errc::invalid_argument, "ctlm: logit {where} is not a number", i});
  }
  template <class T>
  static constexpr T total(span<T> p) {
    T mass = T(0);
    for (T x : p) mass += x;
    return mass;
  }
  template <class T>
  static constexpr void keep_from(span<T> p, T least) {
    for (T& x : p) x = x >= least ? x : T(0);
  }

  /// The largest t such that the tokens with probability >= t satisfy `enough(count, mass)`: bisection over bit
  /// patterns, which for positive numbers are ordered as the numbers are.
  template <class T, class Enough>
  static constexpr T threshold(span<T> p, Enough enough) {
    using bits = typename math::ieee<T>::bits;
    bits low = 0, high = std::bit_cast<bits>(T(2));
    while (high - low > 1) {
      const bits middle = low + (high - low) / 2;
      const T t = std::bit_cast<T>(middle);
      std::size_t count = 0;
      T mass = T(0);
      for (T x : p)
        if (x >= t) {
          ++count;
          mass += x;
        }
      if (enough(count, mass))
        low = middle;
      else
        high = middle;
    }
    return std::bit_cast<T>(low);
  }

  template <class T>
  constexpr token draw(span<T> p) {
    rng random{mix(seed)};
    seed = random.next();
    T left = static_cast<T>(random.uniform()) * total(p);
    std::size_t last = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (p[i] == T(0)) continue;
      last = i;
      if (left < p[i]) break;
      left -= p[i];
    }
    return static_cast<token>(last);
  }
};

/// What may choose tokens for `generate`: how.choose(backend, logits) is the next token, or how.stop, at which
/// generation ends. The logits may be overwritten; the object may remember what it chose. A rule of your own changes
/// logits and hands them to a `sampler`: -infinity is never chosen.
template <class S>
concept sampler_policy = requires(S& how, span<float> logits) {
  { how.choose(portable{}, logits) } -> std::same_as<token>;
  { how.stop } -> std::convertible_to<token>;
};
static_assert(sampler_policy<sampler>);

}}  // namespace ctlm
