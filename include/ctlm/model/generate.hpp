// SPDX-License-Identifier: MIT
// ctlm: text from a session, and how well a session predicts text.
#pragma once

#include "../policy/sampler/sampler.hpp"
#include "session.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Feeds the prompt and then draws up to `count` tokens, each handed to on_token(token). A callback that returns bool
/// ends generation by returning false. Ends early at the stop token (which is not handed on) or when the context is
/// full. Returns the number of tokens handed on.
template <class Session, class F>
constexpr std::size_t generate(Session& session, span<const token> prompt, sampler& how, std::size_t count,
                               F&& on_token) {
  if (count == 0) return 0;
  const typename Session::model::arch_policy arch{};
  auto logits = session.prefill(prompt);
  for (std::size_t made = 0;;) {
    const token next = how.choose(arch, logits);
    if (next == how.stop) return made;
    bool more = true;
    if constexpr (std::same_as<decltype(on_token(next)), bool>)
      more = on_token(next);
    else
      on_token(next);
    if (++made == count || !more || session.position() == Session::shape.context) return made;
    logits = session.decode(next);
  }
}

/// Mean negative log likelihood, in nats, of each token given those before it, over windows of at most the context; the
/// first token of a window is given, not predicted. Its exponential is the perplexity.
template <class Session>
constexpr double mean_nll(Session& session, span<const token> tokens, std::size_t window = Session::shape.context) {
  const typename Session::model::arch_policy arch{};
  const std::size_t length = smaller(window, Session::shape.context);
  check(tokens.size() >= 2, errc::invalid_argument, "ctlm: mean_nll needs at least two tokens", tokens.size());
  double total = 0;
  std::size_t predicted = 0;
  for (std::size_t first = 0; first + 1 < tokens.size(); first += length) {
    const std::size_t n = smaller(length, tokens.size() - 1 - first);
    session.reset();
    session.score(tokens.subspan(first, n), [&](std::size_t i, auto logits) {
      using real = typename Session::real;
      total += static_cast<double>(negative_log_likelihood(arch, logits.size(), static_cast<const real*>(logits.data()),
                                                           static_cast<std::size_t>(tokens[first + i + 1])));
    });
    predicted += n;
  }
  return total / static_cast<double>(predicted);
}

}}  // namespace ctlm
