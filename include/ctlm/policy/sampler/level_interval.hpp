// SPDX-License-Identifier: MIT
// ctlm: the interval of keys in which a level lies, and how it becomes smaller.
#pragma once

#include "level_search.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// What reaches low is enough, what reaches high is not; both are orders of keys.
template <class K>
struct level_interval {
  using bits = decltype(order_of(K()));
  bits low, high;
  quantity all{}, at_low{}, at_high{};

  constexpr bool found() const { return high - low <= 1; }
  constexpr K least() const { return number_at<K>(low); }
  constexpr K beyond() const { return number_at<K>(high); }
  /// Keys that lie in it.
  constexpr std::size_t in_question() const { return at_low.count - at_high.count; }

  /// `count` levels in it, at equal distances as numbers where these are finite, or by their bits, which comes to an
  /// end wherever they lie.
  CTLM_NOINLINE constexpr void spread(std::size_t count, bool by_bits, K* level) const {
    const auto distance = static_cast<float>(beyond() - least());
    const auto part = static_cast<bits>((high - low) / (count + 1));
    const auto rest = static_cast<std::size_t>((high - low) % (count + 1));
    for (std::size_t j = 1; j <= count; ++j, ++level)
      *level = by_bits || !math::isfinite(distance)
                   ? number_at<K>(static_cast<bits>(low + part * j + smaller(rest, j)))
                   : least() + static_cast<K>(distance * (static_cast<float>(j) / static_cast<float>(count + 1)));
  }
  /// Becomes smaller by what is known of levels that rise; `outside` counts to all of them.
  CTLM_NOINLINE constexpr void narrow(const K* level, const level_sums& sums, const quantity& outside,
                                      const enough_tokens& enough) {
    for (std::size_t j = 0; j < most_levels; ++j) {
      const bits at = order_of(level[j]);
      if (at <= low || at >= high) continue;
      const quantity in = quantity_of(sums, j), q{in.count + outside.count, in.mass + outside.mass};
      if (!enough(q, all)) {
        high = at;
        at_high = q;
        return;
      }
      low = at;
      at_low = q;
    }
  }
};

}  // namespace sampling_detail

}}  // namespace ctlm
