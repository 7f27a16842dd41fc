// SPDX-License-Identifier: MIT
// ctlm: few tokens of a vocabulary, copied to be looked at again: their keys, and their masses.
#pragma once

#include "left_tokens.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// Their masses are logarithms in base 2 until weigh().
template <class K>
struct held_tokens {
  static constexpr std::size_t step = 64, room = most_copies + step;
  std::size_t count = 0;
  alignas(64) K key[room]{};
  alignas(64) float mass[room]{};

  constexpr bool has_room() const { return count + step <= room; }
  /// Adds one.
  constexpr void add(K k, float log2) {
    key[count] = k;
    mass[count++] = log2;
  }
  /// Adds those of up to `step` whose keys lie in [least, beyond); there must be room for all.
  template <class Backend>
  constexpr void pick(Backend backend, std::size_t n, const K* keys, const float* log2, K least, K beyond) {
    count += pick_between(backend, n, keys, log2, least, beyond, key + count, mass + count);
  }
  template <class Backend>
  constexpr void weigh(Backend backend) {
    elementwise(
        backend, count, [](auto& y) { y = exp2_below(y); }, mass);
  }
  /// Adds up what reaches each level.
  template <class Backend>
  constexpr void add_to(Backend backend, bool weighs, const K* level, level_sums& sums) const {
    add_levels(backend, weighs, count, static_cast<const K*>(key), static_cast<const float*>(mass), level, sums);
  }
};

}  // namespace sampling_detail

}}  // namespace ctlm
