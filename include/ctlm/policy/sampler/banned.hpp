// SPDX-License-Identifier: MIT
// ctlm: banned tokens, a rule of sampling.
#pragma once

#include "adjust.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Some tokens are never chosen. The list must outlive the rule. Where all tokens are banned, choosing one is an error.
struct banned {
  span<const token> list{};  ///< the tokens

  /// Raises errc::invalid_argument for a token outside the vocabulary.
  template <class Backend, class T>
  constexpr void adjust(Backend, span<T> logits) const {
    for (std::size_t i = 0; i < list.size(); ++i) {
      sampling_detail::require_token(list[i], logits.size(), "banned", i);
      logits[static_cast<std::size_t>(list[i])] = -std::numeric_limits<T>::infinity();
    }
  }
};

}}  // namespace ctlm
