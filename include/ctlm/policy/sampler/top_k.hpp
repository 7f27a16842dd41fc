// SPDX-License-Identifier: MIT
// ctlm: top-k, a rule of sampling (Fan et al. 2018, "Hierarchical neural story generation").
#pragma once

#include "token_candidates.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Only the `count` most likely tokens are left, and any that tie with the last of them; 0: all.
struct top_k {
  std::size_t count = 0;  ///< tokens; 0: all

  /// Narrows the choice.
  template <class Left>
  constexpr void narrow(Left& left) const {
    if (count > 0) left.keep_most_likely(count);
  }
};

}}  // namespace ctlm
