// SPDX-License-Identifier: MIT
// ctlm: activations to int8, over xsimd batches: the portable code's operations, so that every code is the same.
#pragma once

#include "../../arch/xsimd.hpp"
#include "../portable/quantised_block.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Quantises count numbers with a given inverse scale; returns the sum of their codes.
template <class A>
CTLM_INLINE std::int32_t quantise_group(std::size_t count, const float* x, float inverse, std::int8_t* codes) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  std::int32_t total = 0;
  std::size_t i = 0;
  for (; i + w <= count; i += w) {
    const V scaled = V::load_unaligned(x + i) * V(inverse);
    alignas(64) std::int32_t whole[w];
    xsimd::to_int(scaled + xsimd::select(scaled < V(0.0f), V(-0.5f), V(0.5f))).store_aligned(whole);
    for (std::size_t l = 0; l < w; ++l) {
      codes[i + l] = static_cast<std::int8_t>(whole[l]);
      total += whole[l];
    }
  }
  for (; i < count; ++i) {
    const int code = math::round_to_int(x[i] * inverse);
    codes[i] = static_cast<std::int8_t>(code);
    total += code;
  }
  return total;
}

template <class A, quantised_format F>
void quantise_row(simd<A>, F, std::size_t n, const float* x, const quantised_rows& q) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  const std::size_t size = F::group_size(n);
  for (std::size_t g = 0; g < F::groups(n); ++g) {
    const float* const group = x + g * size;
    const std::size_t count = smaller(size, n - g * size);
    V extremes(0.0f);
    std::size_t i = 0;
    for (; i + w <= count; i += w) extremes = xsimd::max(extremes, xsimd::abs(V::load_unaligned(group + i)));
    float extreme = reduce_maximum<float, A>(extremes);
    for (; i < count; ++i) extreme = math::max(extreme, math::abs(group[i]));
    q.scales[g] = extreme / 127.0f;
    q.sums[g] = quantise_group<A>(count, group, extreme > 0 ? 127.0f / extreme : 0.0f, q.codes + g * size);
  }
  for (std::size_t i = n; i < q.code_stride; ++i) q.codes[i] = 0;
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
