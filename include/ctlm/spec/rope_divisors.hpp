// SPDX-License-Identifier: MIT
// ctlm: what LongRoPE divides the frequencies of rotary angles by (Ding et al. 2024).
#pragma once

#include "../core/hash.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

/// A divisor for each frequency of a model's rotary angles. A config that has `rope_divisors divisors` is scaled by
/// them where its shape says rope_kind::longrope.
struct rope_divisors {
  static constexpr std::size_t most = 128;  ///< frequencies of the largest heads: 256 numbers

  float values[most]{};   ///< of the fastest first
  std::size_t count = 0;  ///< how many there are

  /// Tells lists apart; never 0.
  constexpr std::uint64_t hash() const {
    fingerprint f;
    for (std::size_t i = 0; i < count; ++i) f.number(std::bit_cast<std::uint32_t>(values[i]));
    return f.value() | 1;
  }
};

}}  // namespace ctlm
