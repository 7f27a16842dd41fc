// SPDX-License-Identifier: MIT
// ctlm: min-p, a rule of sampling (Nguyen et al. 2024, "Min-p sampling").
#pragma once

#include "token_candidates.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Tokens less likely than this part of the most likely one's probability are not chosen. 0: all are left.
struct min_p {
  float part = 0;  ///< of the most likely probability; 0: all

  /// Raises errc::invalid_argument unless 0 <= part <= 1.
  template <class Left>
  constexpr void narrow(Left& left) const {
    check(part >= 0.0f && part <= 1.0f,
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be between 0 and 1", 0, 0, 0, "min_p"});
    if (part == 0.0f || left.decided()) return;
    const auto most = left.highest();
    left.keep(most + static_cast<std::remove_const_t<decltype(most)>>(math::log(static_cast<double>(part)) /
                                                                      left.sharpness()),
              most);
  }
};

}}  // namespace ctlm
