// SPDX-License-Identifier: MIT
// ctlm: a sampler put together from rules, in the order in which they are written.
#pragma once

#include "banned.hpp"
#include "logit_bias.hpp"
#include "min_p.hpp"
#include "penalties.hpp"
#include "sampler.hpp"
#include "typical.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A rule of sampling does at least one of two things. Both may raise errors.
/// - rule.adjust(backend, logits) changes logits, [vocab]; -infinity forbids a token.
/// - rule.narrow(left) leaves fewer of the candidates.
/// One that has rule.took(token, drawn) is told the tokens of prompts and those that were drawn.
template <class R>
concept sampling_rule = requires(R& rule, span<float> logits) {
  rule.adjust(portable{}, logits);
}
|| requires(R& rule, token_candidates<float>& left) { rule.narrow(left); };

/// What a rule_sampler has beside its rules.
struct draw_options {
  std::uint64_t seed = 0;         ///< equal seeds draw equal tokens
  token stop = sampler::no_stop;  ///< generation ends at this token
};

namespace sampling_detail {

template <class... Rules>
struct rule_list {
  template <class F>
  constexpr void for_each(F&&) {}
};
template <class First, class... Others>
struct rule_list<First, Others...> {
  First rule{};
  [[no_unique_address]] rule_list<Others...> others{};

  template <class F>
  constexpr void for_each(F&& f) {
    f(rule);
    others.for_each(f);
  }
  template <class R>
  constexpr R& get() {
    if constexpr (std::same_as<R, First>)
      return rule;
    else
      return others.template get<R>();
  }
};

}  // namespace sampling_detail

/// Chooses tokens by rules. All that change logits do so first, then the others narrow the choice, both in the order in
/// which they are written: top_p after temperature sees probabilities at that temperature. Without any rule a token is
/// drawn by the model's probabilities.
///
///   ctlm::rule_sampler how{{.seed = 7}, ctlm::penalties<64>{.repetition = 1.1f}, ctlm::temperature{0.8f},
///                          ctlm::top_k{40}, ctlm::min_p{0.05f}};
template <sampling_rule... Rules>
class rule_sampler {
 public:
  /// Options of the draws, then the rules.
  constexpr explicit rule_sampler(const draw_options& options, const Rules&... rules)
      : seed(options.seed), stop(options.stop), rules_{made(rules...)} {}

  std::uint64_t seed;  ///< of the draws; every draw changes it
  token stop;          ///< generation ends when this token is chosen

  /// The chosen token. The rules change the logits. Raises what rules raise; errc::invalid_argument for logits that are
  /// none, hold a NaN, or are all -infinity, after the rules have changed them. The same token on every backend.
  template <class Backend, class Logits>
  constexpr token choose(Backend backend, Logits all) {
    using T = typename Logits::element_type;
    const span<T> logits = all;
    rules_.for_each([&](auto& rule) {
      if constexpr (requires { rule.adjust(backend, logits); }) rule.adjust(backend, logits);
    });
    token_candidates<T, Backend, std::same_as<Logits, many_logits<T>>> left(
        span<const T>(logits.data(), logits.size()));
    rules_.for_each([&](auto& rule) {
      if constexpr (requires { rule.narrow(left); }) rule.narrow(left);
    });
    const auto drawn = left.draw(left.decided() ? 0.0 : sampling_detail::next_uniform(seed));
    probability_ = drawn.probability;
    tell(drawn.chosen, true);
    return drawn.chosen;
  }
  /// The probability that the last chosen token had among those that the rules left.
  constexpr double probability() const { return probability_; }

  /// Tells the rules the tokens of a prompt; generate() does.
  constexpr void take(span<const token> prompt) {
    for (const token t : prompt) tell(t, false);
  }
  /// One of the rules, by its type.
  template <class R>
  constexpr R& rule() {
    return rules_.template get<R>();
  }

 private:
  using list = sampling_detail::rule_list<Rules...>;

  template <class... R>
  static constexpr sampling_detail::rule_list<R...> made(const R&... rules) {
    return make(rules...);
  }
  static constexpr sampling_detail::rule_list<> make() { return {}; }
  template <class First, class... Others>
  static constexpr sampling_detail::rule_list<First, Others...> make(const First& first, const Others&... others) {
    return {first, make(others...)};
  }
  constexpr void tell(token t, bool drawn) {
    rules_.for_each([&](auto& rule) {
      if constexpr (requires { rule.took(t, drawn); }) rule.took(t, drawn);
    });
  }

  list rules_;
  double probability_ = 1;
};
template <sampling_rule... Rules>
rule_sampler(const draw_options&, const Rules&...) -> rule_sampler<Rules...>;

static_assert(
    sampler_policy<rule_sampler<temperature, top_k, top_p, min_p, typical, penalties<8>, banned, logit_bias>>);

}}  // namespace ctlm
