// SPDX-License-Identifier: MIT
// ctlm: which level tokens must reach so that there are so many of them, or so that they hold so much of the
// probability: found by counting and adding up at eight levels in one pass, and again between two of them. As soon as
// few tokens are left in question, these few are copied and everything else is done with them.
#pragma once

#include "left_tokens.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// Numbers in the order of their bits: an integer for each, larger for a larger number.
template <math::real T>
constexpr typename math::ieee<T>::bits order_of(T x) {
  using bits = typename math::ieee<T>::bits;
  constexpr bits sign = ~(~bits(0) >> 1);
  const bits b = std::bit_cast<bits>(x);
  return b & sign ? static_cast<bits>(~b) : static_cast<bits>(b | sign);
}
template <math::real T>
constexpr T number_at(typename math::ieee<T>::bits order) {
  using bits = typename math::ieee<T>::bits;
  constexpr bits sign = ~(~bits(0) >> 1);
  return std::bit_cast<T>(order & sign ? static_cast<bits>(order ^ sign) : static_cast<bits>(~order));
}

/// How many there are of something, and what they weigh together.
struct quantity {
  std::size_t count = 0;
  double mass = 0;
};

CTLM_NOINLINE constexpr quantity quantity_of(const level_sums& sums, std::size_t level) {
  quantity q;
  for (std::size_t l = 0; l < sum_lanes; ++l) {
    q.count += static_cast<std::size_t>(sums.count[level][l]);
    q.mass += sums.weight[level][l];
  }
  return q;
}

/// How far the levels of a first pass lie below the highest key, as logarithms in base 2; the first is all there is.
inline constexpr float first_steps[most_levels] = {0, 24, 16, 11, 7, 4, 2, 0.7f};

/// What is asked: the most likely `count` tokens, or, where that is 0, some that hold `part` of the probability.
struct enough_tokens {
  std::size_t count = 0;
  double part = 1;
  /// Whether q, of `all` that is left, is enough.
  constexpr bool operator()(const quantity& q, const quantity& all) const {
    return count > 0 ? q.count >= count : q.count > 0 && q.mass >= part * all.mass;
  }
};

/// The largest key of which what reaches it is enough.
template <class Order, class T, class Backend>
CTLM_NOINLINE constexpr typename Order::key level_of(const left_tokens<T, Backend>& left, const Order& order,
                                                     const enough_tokens& enough) {
  using K = typename Order::key;
  constexpr auto backend = left_tokens<T, Backend>::backend;
  constexpr std::size_t levels = most_levels;
  constexpr K everything = -std::numeric_limits<K>::infinity();
  const bool weighs = enough.count == 0;
  auto low = order_of(everything);
  auto high = static_cast<decltype(low)>(order_of(order.most(left.high)) + 1);
  quantity all, at_low, at_high, outside;  // outside: of what is above the few
  K few[most_copies]{}, level[levels]{};
  float weights[most_copies]{};
  std::size_t taken = 0;
  bool has_few = false;
  piece_reader<Order, T, Backend> pieces(left, order, weighs);
  for (bool opening = true; high - low > 1; opening = false) {
    const auto part = static_cast<decltype(low)>((high - low) / (levels + 1));
    const auto rest = static_cast<std::size_t>((high - low) % (levels + 1));
    for (std::size_t j = 0; j < levels; ++j)
      level[j] = !opening ? number_at<K>(static_cast<decltype(low)>(low + part * (j + 1) + smaller(rest, j + 1)))
                 : j == 0 ? everything
                          : order.step(left.high, left.base2, first_steps[j]);
    level_sums sums;
    if (has_few) {
      add_levels(backend, weighs, taken, static_cast<const K*>(few), static_cast<const float*>(weights),
                 static_cast<const K*>(level), sums);
    } else {
      pieces.from(order.bound(opening ? everything : number_at<K>(low)));
      while (pieces.next())
        add_levels(backend, weighs, pieces.count, static_cast<const K*>(pieces.key),
                   static_cast<const float*>(pieces.mass), static_cast<const K*>(level), sums);
    }
    if (opening) all = at_low = quantity_of(sums, 0);
    for (std::size_t j = 0; j < levels; ++j) {
      const auto at = order_of(level[j]);
      if (at <= low || at >= high) continue;
      const quantity in = quantity_of(sums, j), q{in.count + outside.count, in.mass + outside.mass};
      if (!enough(q, all)) {
        high = at;
        at_high = q;
        break;
      }
      low = at;
      at_low = q;
    }
    if (has_few || left.copied || at_low.count - at_high.count > most_copies) continue;
    const K least = number_at<K>(low), beyond = number_at<K>(high);
    outside = at_high;
    has_few = true;
    pieces.from(order.bound(least));
    while (pieces.next())
      for (std::size_t i = 0; i < pieces.count && taken < most_copies; ++i)
        if (pieces.key[i] >= least && !(pieces.key[i] >= beyond)) {
          few[taken] = pieces.key[i];
          weights[taken++] = pieces.mass[i];
        }
  }
  return number_at<K>(low);
}

/// The k-th largest of n numbers that are at most `peak`; k is 1 to n.
template <class T>
constexpr T kth_largest(std::size_t k, std::size_t n, const T* x, T peak) {
  auto low = order_of(-std::numeric_limits<T>::infinity());
  auto high = static_cast<decltype(low)>(order_of(peak) + 1);
  while (high - low > 1) {
    const auto middle = static_cast<decltype(low)>(low + (high - low) / 2);
    const T level = number_at<T>(middle);
    std::int32_t count = 0;
    for (std::size_t i = 0; i < n; ++i) count += x[i] >= level ? 1 : 0;
    (static_cast<std::size_t>(count) >= k ? low : high) = middle;
  }
  return number_at<T>(low);
}

}  // namespace sampling_detail

}}  // namespace ctlm
