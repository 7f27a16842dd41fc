// SPDX-License-Identifier: MIT
// ctlm: the choice of the next token: greedy, or sampled at a temperature from the top k tokens and the top p of
// probability. Other rules, and rules of one's own, are put together by rule_sampler.
#pragma once

#include "temperature.hpp"
#include "top_k.hpp"
#include "top_p.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace sampling_detail {

/// The next number of a stream of draws in [0, 1), of which the seed is the whole state.
constexpr double next_uniform(std::uint64_t& seed) {
  rng random{mix(seed)};
  seed = random.next();
  return random.uniform();
}

}  // namespace sampling_detail

/// How the next token is chosen, and the choice. Whatever the options are, the choice has a meaning or is an error in
/// words:
/// - `temperature` 0, less, or so small that the logits divided by it overflow: greedy. NaN and infinity: an error.
/// - `top_p` 0 or less: greedy. NaN: an error.
/// - Logits: none at all, a NaN among them, all -infinity: an error. Some -infinity: never chosen. +infinity: chosen,
/// the
///   first of several.
struct sampler {
  static constexpr token no_stop = -1;  ///< no token: generation ends at no stop token

  float temperature = 0.0f;  ///< logits are divided by it: below 1 likely tokens become likelier; 0: greedy
  std::size_t top_k = 0;     ///< only the k most likely tokens, and any that tie with the k-th; 0: all
  float top_p = 1.0f;        ///< only the fewest tokens whose probabilities reach p, at least one; 1 or more: all
  std::uint64_t seed = 0;    ///< of the draws: equal seeds draw equal tokens; every draw changes it
  token stop = no_stop;      ///< generation ends when this token is chosen, which is not handed on

  /// The chosen token; the logits stay as they are. Throws ctlm::error, or calls ctlm::fatal, for what is an error
  /// above. The same token on every backend.
  template <class Backend, class Logits>
  constexpr token choose(Backend backend, Logits logits) {
    using T = typename Logits::element_type;
    using number = std::remove_const_t<T>;
    check(math::isfinite(temperature),
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a finite number", 0, 0, 0, "temperature"});
    check(top_p == top_p,
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a number, not NaN", 0, 0, 0, "top_p"});
    if (temperature <= 0.0f || top_p <= 0.0f || logits.empty()) return greedy(backend, span<T>(logits));
    token_candidates<number, Backend, std::same_as<Logits, many_logits<T>>> left(
        span<const number>(logits.data(), logits.size()));
    ctlm::temperature{temperature}.narrow(left);
    ctlm::top_k{top_k}.narrow(left);
    ctlm::top_p{top_p}.narrow(left);
    return left.decided() ? left.first() : left.draw(sampling_detail::next_uniform(seed)).chosen;
  }

  /// The token of the largest logit, the first of equals. Errors as above.
  template <class Backend, class T>
  static constexpr token greedy(Backend, span<T> logits) {
    using number = std::remove_const_t<T>;
    constexpr std::conditional_t<std::same_as<number, float>, Backend, portable> backend{};
    check(!logits.empty(), errc::invalid_argument, "ctlm: there are no logits to choose a token from");
    const number* const x = logits.data();
    const std::size_t n = logits.size();
    bool numbers = true;
    const number most = largest_number(backend, n, x, numbers);
    if (!numbers) sampling_detail::require_numbers(x, n);
    sampling_detail::require_some(most, n);
    return static_cast<token>(first_reaching(backend, n, x, most));
  }
  template <class T>
  static constexpr token greedy(span<T> logits) {
    return greedy(native{}, logits);
  }
};

/// What may choose tokens for `generate`: how.choose(backend, logits) is the next token, or how.stop, at which
/// generation ends. The logits may be overwritten; the object may remember what it chose. One that has
/// how.take(tokens) is told the prompt.
template <class S>
concept sampler_policy = requires(S& how, span<float> logits) {
  { how.choose(portable{}, logits) } -> std::same_as<token>;
  { how.stop } -> std::convertible_to<token>;
};
static_assert(sampler_policy<sampler>);

}}  // namespace ctlm
