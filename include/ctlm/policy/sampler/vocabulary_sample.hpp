// SPDX-License-Identifier: MIT
// ctlm: a sample of a large vocabulary, which tells about where a level lies.
#pragma once

#include "held_tokens.hpp"
#include "level_interval.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// Of every two blocks the largest number, which stands for itself, and one from anywhere, which stands for all others.
template <class Order, class T, class Backend>
class vocabulary_sample {
 public:
  using key = typename Order::key;

  /// `held` is room that it uses.
  constexpr vocabulary_sample(const left_tokens<T, Backend>& left, const Order& order, bool weighs,
                              held_tokens<key>& held)
      : left_(left), order_(order), weighs_(weighs), held_(held) {
    const std::size_t pairs = left.blocks() / 2, stride = left.stride();
    held.count = 0;
    for (std::size_t p = 0; p < pairs; ++p) {
      const T a = left.most[2 * p], b = left.most[2 * p + 1];
      take(b > a ? b : a, -static_cast<float>(std::bit_width(stride)));
    }
    for (std::size_t p = 0; p < pairs; ++p)
      take(left.x[2 * p * stride + mix(p) % (stride + left.block_size(2 * p + 1))], 0);
    held.weigh(left.backend);
    of_largest_ = lane_sum(left.backend, pairs, static_cast<const float*>(held.mass));
    of_others_ = lane_sum(left.backend, pairs, static_cast<const float*>(held.mass) + pairs);
  }
  /// Whether it tells anything: not if the largest numbers weigh most, since chance chose the others.
  constexpr bool tells() const { return of_others_ > of_largest_; }
  /// The interval in which lies the level of what reaches this part of it, or a little more or less: as chance could
  /// have made of it. `within` is known.
  constexpr level_interval<key> around(double part, const level_interval<key>& within) const {
    constexpr std::size_t drawn = most_copies / 2;
    const double chance = 3 * math::sqrt(part * (1 - part) / static_cast<double>(drawn));
    level_interval<key> in = within;
    in.low = level_at(part + math::min(chance, (1 - part) / 2), within);
    in.high = level_at(part - math::min(chance, part / 2), within);
    return in;
  }

 private:
  constexpr void take(T logit, float log2_times) {
    const bool is_left = logit >= left_.low && logit <= left_.high;
    const float log2 = is_left ? left_.log2_of(logit) : std::numeric_limits<float>::quiet_NaN();
    key k{};
    order_.keys(1, &logit, &log2, &k);
    held_.add(k, is_left ? (weighs_ ? log2 : 0.0f) + log2_times : -200.0f);
  }
  constexpr level_sums sums_at(const key* level) const {
    level_sums sums;
    held_.add_to(left_.backend, true, level, sums);
    return sums;
  }
  /// The order of the level which that part reaches.
  CTLM_NOINLINE constexpr auto level_at(double part, const level_interval<key>& within) const {
    key level[most_levels]{-std::numeric_limits<key>::infinity()};
    level_interval<key> in{within.low, within.high};
    in.all = quantity_of(sums_at(level), 0);
    for (bool by_bits = false; !in.found(); by_bits = !by_bits) {
      in.spread(most_levels, by_bits, level);
      in.narrow(level, sums_at(level), {}, {0, part});
    }
    return in.low;
  }

  const left_tokens<T, Backend>& left_;
  const Order& order_;
  bool weighs_;
  held_tokens<key>& held_;
  double of_largest_ = 0, of_others_ = 0;
};

}  // namespace sampling_detail

}}  // namespace ctlm
