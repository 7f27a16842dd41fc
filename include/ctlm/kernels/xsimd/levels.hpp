// SPDX-License-Identifier: MIT
// ctlm: what sampling asks of a vocabulary, over xsimd batches: the portable code's sixteen lanes lie in as many
// registers as they need, so that every bit is the same.
#pragma once

#include "../../backend/xsimd.hpp"
#include "../portable/levels.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Sixteen lanes of single precision.
template <class A>
struct sixteen {
  using V = simd_batch<float, A>;
  static constexpr std::size_t width = lanes<float, A>, registers = sum_lanes / width;
  static_assert(registers * width == sum_lanes);
};

/// Several levels are looked at together: their sums do not wait for each other, and what they compare is loaded once.
template <bool weigh, class A>
CTLM_NOINLINE void add_levels_of(simd<A>, std::size_t n, const float* key, const float* weight, const float* level,
                                 level_sums& sums) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = sixteen<A>::width, registers = sixteen<A>::registers;
  constexpr std::size_t together = registers < 4 ? 4 / registers : 1;
  static_assert(most_levels % together == 0);
  const std::size_t whole = n / sum_lanes * sum_lanes;
  const V one(1.0f);
  for (std::size_t first = 0; first < most_levels; first += together) {
    V least[together], found[together][registers], sum[together][registers];
    for (std::size_t j = 0; j < together; ++j) {
      least[j] = V(level[first + j]);
      for (std::size_t r = 0; r < registers; ++r) found[j][r] = sum[j][r] = V(0.0f);
    }
    for (std::size_t i = 0; i < whole; i += sum_lanes)
      for (std::size_t r = 0; r < registers; ++r) {
        const V k = V::load_unaligned(key + i + r * w), mass = weigh ? V::load_unaligned(weight + i + r * w) : one;
        for (std::size_t j = 0; j < together; ++j) {
          const auto hit = k >= least[j];
          found[j][r] = xsimd::select(hit, found[j][r] + one, found[j][r]);
          if constexpr (weigh) sum[j][r] = xsimd::select(hit, sum[j][r] + mass, sum[j][r]);
        }
      }
    for (std::size_t j = 0; j < together; ++j) {
      alignas(64) float lane_found[sum_lanes], lane_sum[sum_lanes];
      for (std::size_t r = 0; r < registers; ++r) {
        found[j][r].store_aligned(lane_found + r * w);
        sum[j][r].store_aligned(lane_sum + r * w);
      }
      for (std::size_t i = whole; i < n; ++i) {
        if (!(key[i] >= level[first + j])) continue;
        lane_found[i - whole] += 1.0f;
        if constexpr (weigh) lane_sum[i - whole] += weight[i];
      }
      for (std::size_t l = 0; l < sum_lanes; ++l) {
        sums.count[first + j][l] += static_cast<std::int32_t>(lane_found[l]);
        if constexpr (weigh) sums.weight[first + j][l] += static_cast<double>(lane_sum[l]);
      }
    }
  }
}

template <class A>
void add_levels(simd<A> backend, bool weighs, std::size_t n, const float* key, const float* weight, const float* level,
                level_sums& sums) {
  if (weighs)
    add_levels_of<true>(backend, n, key, weight, level, sums);
  else
    add_levels_of<false>(backend, n, key, weight, level, sums);
}

template <class A>
CTLM_NOINLINE std::size_t pick_between(simd<A>, std::size_t n, const float* key, const float* weight, float least,
                                       float beyond, float* key_to, float* weight_to) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  std::size_t count = 0, i = 0;
  for (; i + w <= n; i += w) {
    const V k = V::load_unaligned(key + i);
    if (xsimd::any((k >= V(least)) & (k < V(beyond))))
      count += pick_between(portable{}, w, key + i, weight + i, least, beyond, key_to + count, weight_to + count);
  }
  return count + pick_between(portable{}, n - i, key + i, weight + i, least, beyond, key_to + count, weight_to + count);
}

template <class A>
CTLM_NOINLINE double lane_sum(simd<A>, std::size_t n, const float* x) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = sixteen<A>::width, registers = sixteen<A>::registers;
  const std::size_t whole = n / sum_lanes * sum_lanes;
  V sum[registers];
  for (std::size_t r = 0; r < registers; ++r) sum[r] = V(0.0f);
  for (std::size_t i = 0; i < whole; i += sum_lanes)
    for (std::size_t r = 0; r < registers; ++r) sum[r] += V::load_unaligned(x + i + r * w);
  alignas(64) float lane[sum_lanes];
  for (std::size_t r = 0; r < registers; ++r) sum[r].store_aligned(lane + r * w);
  for (std::size_t i = whole; i < n; ++i) lane[i - whole] += x[i];
  double all = 0;
  for (std::size_t l = 0; l < sum_lanes; ++l) all += static_cast<double>(lane[l]);
  return all;
}

template <class A>
CTLM_NOINLINE float largest_number(simd<A>, std::size_t n, const float* x, bool& numbers) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  if (n < 4 * w) return largest_number(portable{}, n, x, numbers);
  V most[4];
  for (std::size_t r = 0; r < 4; ++r) most[r] = V(-std::numeric_limits<float>::infinity());
  auto same = V::load_unaligned(x) == V::load_unaligned(x);  // none is NaN: != of xsimd 8.1 does not tell
  const auto look = [&](std::size_t i, std::size_t r) {
    const V v = V::load_unaligned(x + i);
    same = same & (v == v);
    most[r] = xsimd::max(most[r], v);
  };
  std::size_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w)
    for (std::size_t r = 0; r < 4; ++r) look(i + r * w, r);
  for (; i + w <= n; i += w) look(i, 0);
  if (i < n) look(n - w, 1);
  numbers = numbers && xsimd::all(same);
  return reduce_maximum<float, A>(xsimd::max(xsimd::max(most[0], most[1]), xsimd::max(most[2], most[3])));
}

template <class A>
CTLM_NOINLINE std::size_t first_reaching(simd<A>, std::size_t n, const float* x, float least) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  const V level(least);
  std::size_t i = 0;
  while (i + w <= n && !xsimd::any(V::load_unaligned(x + i) >= level)) i += w;
  return i + first_reaching(portable{}, n - i, x + i, least);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
