// SPDX-License-Identifier: MIT
// ctlm: locally typical sampling, a rule (Meister et al. 2023).
#pragma once

#include "token_candidates.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Only the fewest tokens are left that together reach this part of the probability, those first whose surprise is
/// nearest to the mean surprise (the entropy), and any that tie with the last of them. 1: all.
struct typical {
  float part = 1;  ///< of the probability

  /// Raises errc::invalid_argument unless 0 < part <= 1.
  template <class Left>
  constexpr void narrow(Left& left) const {
    check(
        part > 0.0f && part <= 1.0f,
        failure{errc::invalid_argument, "ctlm: a sampler's {name} must be above 0, and 1 at most", 0, 0, 0, "typical"});
    if (part == 1.0f || left.decided()) return;
    // The surprise of a token, less the entropy, is the mean logarithm less its own.
    left.keep_nearest(static_cast<float>(left.mean_log2()), static_cast<double>(part));
  }
};

}}  // namespace ctlm
