// SPDX-License-Identifier: MIT
// ctlm: the temperature, a rule of sampling.
#pragma once

#include "token_candidates.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Logits are divided by a temperature: below 1 likely tokens become likelier. 0 or less, or so small that the logits
/// divided by it overflow: the most likely token, the first of equals.
struct temperature {
  float value = 1;

  /// Raises errc::invalid_argument for NaN and infinity.
  template <class Left>
  constexpr void narrow(Left& left) const {
    check(math::isfinite(value),
          failure{errc::invalid_argument, "ctlm: a sampler's {name} must be a finite number", 0, 0, 0, "temperature"});
    left.divide_by(value);
  }
};

}}  // namespace ctlm
