// SPDX-License-Identifier: MIT
// ctlm: penalties for tokens that a text has already, a rule of sampling: of repetition (Keskar et al. 2019, "CTRL"),
// of frequency and of presence (as OpenAI's interface and vLLM define them).
#pragma once

#include "adjust.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace sampling_detail {

/// The last Window tokens of a text, and how often each is among them.
template <std::size_t Window>
struct recent_tokens {
  struct entry {
    token seen = -1;
    std::uint32_t times = 0, drawn = 0;
  };
  entry entries[Window]{};  // each token of the window once, `size` of them
  std::size_t size = 0;
  token last[Window]{};  // the window, a ring
  bool was_drawn[Window]{};
  std::size_t taken = 0;  // tokens that came by

  constexpr std::size_t find(token t) const {
    std::size_t i = 0;
    while (i < size && entries[i].seen != t) ++i;
    return i;
  }
  constexpr void leave(token t, bool drawn) {
    entry& e = entries[find(t)];
    e.drawn -= drawn ? 1 : 0;
    if (--e.times == 0) e = entries[--size];
  }
  constexpr void enter(token t, bool drawn) {
    const std::size_t place = taken++ % Window;
    if (taken > Window) leave(last[place], was_drawn[place]);
    last[place] = t;
    was_drawn[place] = drawn;
    const std::size_t i = find(t);
    if (i == size) entries[size++] = {t, 0, 0};
    ++entries[i].times;
    entries[i].drawn += drawn ? 1 : 0;
  }
};

}  // namespace sampling_detail

/// Makes tokens less likely that are among the last Window ones of the text. The logit of such a token
/// - is divided by `repetition` if it is positive and multiplied with it if not, then
/// - loses `frequency` for each time that the token was drawn, and `presence` once if it was drawn at all.
/// Tokens of prompts count for `repetition` alone. Negative penalties, and a repetition below 1, make tokens likelier.
/// It remembers the tokens itself: sizeof(penalties<Window>) bytes.
template <std::size_t Window>
struct penalties {
  static_assert(Window > 0, "ctlm: penalties<Window> need a window of at least 1 token");

  float repetition = 1;  ///< more than 0; 1: none
  float frequency = 0;   ///< for each time; 0: none
  float presence = 0;    ///< once; 0: none

  sampling_detail::recent_tokens<Window> seen{};  ///< what the window holds; nothing to set

  /// Raises errc::invalid_argument for penalties that are not finite, for a repetition that is not above 0, and for a
  /// token of the text that is outside the vocabulary.
  template <class Backend, class T>
  constexpr void adjust(Backend, span<T> logits) const {
    check(repetition > 0.0f && math::isfinite(repetition),
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a finite number above 0", 0, 0, 0,
                  "repetition penalty"});
    check(math::isfinite(frequency) && math::isfinite(presence),
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a finite number", 0, 0, 0,
                  math::isfinite(frequency) ? "presence penalty" : "frequency penalty"});
    for (std::size_t i = 0; i < seen.size; ++i) {
      const auto& e = seen.entries[i];
      sampling_detail::require_token(e.seen, logits.size(), "penalties", i);
      T& x = logits[static_cast<std::size_t>(e.seen)];
      x = x > T(0) ? x / static_cast<T>(repetition) : x * static_cast<T>(repetition);
      if (e.drawn > 0) x -= static_cast<T>(frequency) * static_cast<T>(e.drawn) + static_cast<T>(presence);
    }
  }
  /// Remembers a token of a prompt, or one that was drawn.
  constexpr void took(token t, bool drawn) { seen.enter(t, drawn); }
  /// Forgets the text.
  constexpr void forget() { seen = {}; }
};

}}  // namespace ctlm
