// SPDX-License-Identifier: MIT
// ctlm: top-p, a rule of sampling (Holtzman et al. 2020, "The curious case of neural text degeneration").
#pragma once

#include "token_candidates.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Only the fewest tokens are left that together reach this part of the probability, the most likely first, and any
/// that tie with the last of them. 1 or more: all; 0 or less: the most likely one.
struct top_p {
  float part = 1;  ///< of the probability

  /// Raises errc::invalid_argument for NaN.
  template <class Left>
  constexpr void narrow(Left& left) const {
    check(part == part,
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a number, not NaN", 0, 0, 0, "top_p"});
    left.keep_probable(static_cast<double>(part));
  }
};

}}  // namespace ctlm
