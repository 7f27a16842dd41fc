// SPDX-License-Identifier: MIT
// ctlm: tokens that a call takes, checked before anything changes.
#pragma once

#include "../core/result.hpp"
#include "../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Whether t is one of the tokens 0 ... vocab - 1.
constexpr bool in_vocabulary(token t, std::size_t vocab) { return t >= 0 && static_cast<std::size_t>(t) < vocab; }

/// Raises errc::invalid_argument, with the token, if one of them is outside the vocabulary; `where` is its place.
CTLM_NOINLINE constexpr void require_tokens(span<const token> tokens, std::size_t vocab) {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    check(in_vocabulary(tokens[i], vocab),
          failure{errc::invalid_argument, "ctlm: token {token} is outside the vocabulary of {needed}", i, vocab,
                  static_cast<std::size_t>(tokens[i])});
}

/// The same of targets, among which ignore_token is allowed: it takes no part in a loss. Returns the number of the
/// others.
CTLM_NOINLINE constexpr std::size_t count_targets(span<const token> targets, std::size_t vocab) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] == ignore_token) continue;
    check(in_vocabulary(targets[i], vocab),
          failure{errc::invalid_argument, "ctlm: target {token} is outside the vocabulary of {needed}", i, vocab,
                  static_cast<std::size_t>(targets[i])});
    ++n;
  }
  return n;
}

}}  // namespace ctlm
