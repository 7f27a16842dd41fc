// SPDX-License-Identifier: MIT
// ctlm: what sampling asks of a vocabulary: the largest number, how many reach a level, and sums. All loops run over
// sixteen lanes whatever the processor has, and add up in one order: so every backend finds the same bits.
#pragma once

#include "../../backend/native.hpp"
#include "../../core/math.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Lanes that sums are made in, and levels that are looked at in one pass.
inline constexpr std::size_t sum_lanes = 16, most_levels = 8;

/// For each of eight levels: how many keys reach it, and the sum of their weights. Sums of a piece are made in single
/// precision, lane by lane, and those of pieces in double precision.
struct level_sums {
  double weight[most_levels][sum_lanes]{};       ///< of what reaches each level
  std::int32_t count[most_levels][sum_lanes]{};  ///< how many these are
};

/// Adds n keys, and their weights if `weighs`. Keys that are NaN reach no level.
template <class K>
CTLM_NOINLINE constexpr void add_levels(portable, bool weighs, std::size_t n, const K* key, const float* weight,
                                        const K* level, level_sums& sums) {
  for (std::size_t j = 0; j < most_levels; ++j) {
    float sum[sum_lanes]{};
    for (std::size_t i = 0; i < n; ++i) {
      if (!(key[i] >= level[j])) continue;
      ++sums.count[j][i % sum_lanes];
      if (weighs) sum[i % sum_lanes] += weight[i];
    }
    for (std::size_t l = 0; l < sum_lanes; ++l) sums.weight[j][l] += static_cast<double>(sum[l]);
  }
}

/// Copies those of n keys that lie in [least, beyond), and their weights; returns how many there are. There must be
/// room for n of them.
template <class K>
CTLM_NOINLINE constexpr std::size_t pick_between(portable, std::size_t n, const K* key, const float* weight, K least,
                                                 K beyond, K* key_to, float* weight_to) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    key_to[count] = key[i];
    weight_to[count] = weight[i];
    count += key[i] >= least && key[i] < beyond ? 1 : 0;
  }
  return count;
}

/// The sum of n numbers, lane by lane in single precision, then lane after lane in double precision.
CTLM_NOINLINE constexpr double lane_sum(portable, std::size_t n, const float* x) {
  float sum[sum_lanes]{};
  for (std::size_t i = 0; i < n; ++i) sum[i % sum_lanes] += x[i];
  double all = 0;
  for (std::size_t l = 0; l < sum_lanes; ++l) all += static_cast<double>(sum[l]);
  return all;
}

/// The largest of n > 0 numbers; `numbers` becomes false if there is a NaN among them, and the result is any then.
template <class T>
CTLM_NOINLINE constexpr T largest_number(portable, std::size_t n, const T* x, bool& numbers) {
  T most = x[0];
  for (std::size_t i = 0; i < n; ++i) {
    most = x[i] > most ? x[i] : most;
    numbers = numbers && x[i] == x[i];
  }
  return most;
}

/// The place of the first of n numbers that is `least` or more; n if there is none.
template <class T>
CTLM_NOINLINE constexpr std::size_t first_reaching(portable, std::size_t n, const T* x, T least) {
  std::size_t i = 0;
  while (i < n && !(x[i] >= least)) ++i;
  return i;
}

/// 2^y for y <= 0, by its Taylor series around the nearest whole number; 0 below 2^-126. Its error is below 1e-6 of it,
/// and its bits are the same on every machine. V is float, or a vector of them.
template <class V>
CTLM_INLINE constexpr V exp2_below(const V& y) {
  using math::product, math::times_power;
  const V whole(12582912.0f);  // 1.5 * 2^23: adding it leaves a whole number in the lowest bits
  const V t = y + whole, f = y - (t - whole);
  V p(1.5403530e-4f);
  p = product(p, f) + V(1.3333558e-3f);
  p = product(p, f) + V(9.6181291e-3f);
  p = product(p, f) + V(5.5504109e-2f);
  p = product(p, f) + V(2.4022651e-1f);
  p = product(p, f) + V(6.9314718e-1f);
  p = product(p, f) + V(1.0f);
  return times_power(p, t, y);
}

}}  // namespace ctlm
