// SPDX-License-Identifier: MIT
// ctlm: text from a session, and how well a session predicts text.
#pragma once

#include "../policy/sampler/sampler.hpp"
#include "session.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Takes the prompt and then draws up to `count` tokens, each handed to on_token(token). A callback that returns bool
/// ends generation by returning false. Ends early at the stop token, which is not handed on, or when the context is
/// full. Returns the number of tokens handed on.
///
/// Afterwards the session stands where the text ends: the prompt and every token handed on are in its cache, the stop
/// token is not. So the next prompt, or generate with an empty one, goes on from there; logits are computed only when
/// they are wanted. One token is an exception: the last one before a full context is handed on and finds no room.
///
/// An empty prompt goes on from where the session stands: an error if it has not taken a token yet (session.logits()),
/// no tokens if its context is full. A prompt longer than the room that is left is an error, and nothing is taken.
/// With a count of 0 the prompt is taken, and no token drawn.
///
/// `how` is a `sampler`, a `rule_sampler`, or another class that chooses tokens (sampler_policy). One that has
/// how.take(tokens) is told the prompt.
template <class Session, sampler_policy Sampler, class F>
constexpr std::size_t generate(Session& session, span<const token> prompt, Sampler& how, std::size_t count,
                               F&& on_token) {
  constexpr std::size_t context = Session::shape.context;
  const typename Session::model::backend_policy backend{};
  if (prompt.empty() && session.position() == context) return 0;
  session.take(prompt);
  if constexpr (requires { how.take(prompt); }) how.take(prompt);
  std::size_t made = 0;
  for (bool more = true; more && made < count;) {
    const token next = how.choose(backend, session.logits());
    if (next == how.stop) break;
    if constexpr (std::same_as<decltype(on_token(next)), bool>)
      more = on_token(next);
    else
      on_token(next);
    ++made;
    if (session.position() == context) break;
    session.take(span<const token>(&next, 1));
  }
  return made;
}

/// Mean negative log likelihood, in nats, of each token given those before it, over windows of at most the context; the
/// first token of a window is given, not predicted. Its exponential is the perplexity. The session is reset first. All
/// tokens must be in the vocabulary, and there must be two at least; a longer window than the context is the context.
template <class Session>
constexpr double mean_nll(Session& session, span<const token> tokens, std::size_t window = Session::shape.context) {
  const typename Session::model::backend_policy backend{};
  const std::size_t length = smaller(window, Session::shape.context);
  check(tokens.size() >= 2, failure{errc::invalid_argument, "ctlm: mean_nll needs at least {needed} tokens, not {had}",
                                    0, 2, tokens.size()});
  check(window > 0, errc::invalid_argument, "ctlm: mean_nll needs a window of at least 1 token, not 0");
  require_tokens(tokens, Session::shape.vocab);
  double total = 0;
  std::size_t predicted = 0;
  for (std::size_t first = 0; first + 1 < tokens.size(); first += length) {
    const std::size_t n = smaller(length, tokens.size() - 1 - first);
    session.reset();
    session.score(tokens.subspan(first, n), [&](std::size_t i, auto logits) {
      using real = typename Session::real;
      total +=
          static_cast<double>(negative_log_likelihood(backend, logits.size(), static_cast<const real*>(logits.data()),
                                                      static_cast<std::size_t>(tokens[first + i + 1])));
    });
    predicted += n;
  }
  return total / static_cast<double>(predicted);
}

}}  // namespace ctlm
