// SPDX-License-Identifier: MIT
// ctlm: dropout (Srivastava et al. 2014) whose masks are never stored: element n of a mask is a hash of (stream, n), so
// the backward pass, and any thread, can ask for it again.
#pragma once

#include "../core/rng.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct dropout_mask {
  std::uint64_t stream = 0;     // seed, step, layer and place, mixed
  std::uint32_t threshold = 0;  // drop where the hash's upper half is below it: rate * 2^32
  double scale = 1;             // 1 / (1 - rate), so that expectations stay what they were

  constexpr dropout_mask() = default;
  constexpr dropout_mask(std::uint64_t s, double rate)
      : stream(s), threshold(static_cast<std::uint32_t>(rate * 4294967296.0)), scale(1.0 / (1.0 - rate)) {}

  constexpr bool active() const { return threshold != 0; }
  template <class T>
  constexpr T factor(std::uint64_t n) const {
    return static_cast<std::uint32_t>(mix(stream, n) >> 32) < threshold ? T(0) : static_cast<T>(scale);
  }
};

/// x[i] *= mask[first + i]; forward and backward are the same.
template <class T>
CTLM_NOINLINE constexpr void apply_dropout(const dropout_mask& mask, std::size_t n, T* x, std::uint64_t first) {
  for (std::size_t i = 0; i < n; ++i) x[i] *= mask.template factor<T>(first + i);
}

}}  // namespace ctlm
