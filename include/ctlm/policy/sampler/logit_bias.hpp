// SPDX-License-Identifier: MIT
// ctlm: logit bias, a rule of sampling.
#pragma once

#include "adjust.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What is added to a token's logit.
struct token_bias {
  token to = 0;    ///< whose logit
  float bias = 0;  ///< what is added
};

/// Adds numbers to the logits of some tokens; -infinity forbids one. The list must outlive the rule.
struct logit_bias {
  span<const token_bias> list{};  ///< tokens, and what is added

  /// Raises errc::invalid_argument for a token outside the vocabulary, and a bias that is NaN.
  template <class Backend, class T>
  constexpr void adjust(Backend, span<T> logits) const {
    for (std::size_t i = 0; i < list.size(); ++i) {
      sampling_detail::require_token(list[i].to, logits.size(), "logit_bias", i);
      check(list[i].bias == list[i].bias,
            failure{errc::invalid_argument, "ctlm: bias {where} of logit_bias is not a number", i});
      logits[static_cast<std::size_t>(list[i].to)] += static_cast<T>(list[i].bias);
    }
  }
};

}}  // namespace ctlm
