// SPDX-License-Identifier: MIT
// ctlm: activations to int8, over xsimd batches: the portable code's operations, so that every code is the same.
#pragma once

#include "../../backend/xsimd.hpp"
#include "../portable/quantised_stripe.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Quantises count numbers with a given inverse scale; returns the sum of their codes.
template <class A>
CTLM_INLINE std::int32_t quantise_group(std::size_t count, const float* x, float inverse, std::int8_t* codes) {
  using V = simd_batch<float, A>;
  constexpr std::size_t w = lanes<float, A>;
  simd_batch<std::int32_t, A> sums(0);
  std::size_t i = 0;
  for (; i + w <= count; i += w) {
    const V scaled = V::load_unaligned(x + i) * V(inverse);
    const auto rounded = xsimd::to_int(scaled + xsimd::select(scaled < V(0.0f), V(-0.5f), V(0.5f)));
    alignas(64) std::int32_t whole[w];
    rounded.store_aligned(whole);
    for (std::size_t l = 0; l < w; ++l) codes[i + l] = static_cast<std::int8_t>(whole[l]);
    sums += rounded;
  }
  std::int32_t total = reduce_sum<std::int32_t, A>(sums);
  for (; i < count; ++i) {
    const int code = math::round_to_int(x[i] * inverse);
    codes[i] = static_cast<std::int8_t>(code);
    total += code;
  }
  return total;
}

/// The largest magnitude of a group as bits: as fast as a maximum of numbers, which some processors' instructions let
/// forget a NaN.
template <class A>
CTLM_INLINE std::uint32_t group_magnitude(std::size_t count, const float* x) {
  using V = simd_batch<float, A>;
  using bits = simd_batch<std::int32_t, A>;
  constexpr std::size_t w = lanes<float, A>;
  bits largest(0);
  std::size_t i = 0;
  for (; i + w <= count; i += w)
    largest = xsimd::max(largest, std::bit_cast<bits>(xsimd::abs(V::load_unaligned(x + i))));
  const auto lanes_largest = static_cast<std::uint32_t>(reduce_maximum<std::int32_t, A>(largest));
  const std::uint32_t rest = math::largest_magnitude(count - i, x + i);
  return lanes_largest > rest ? lanes_largest : rest;
}

template <class A, quantised_format F>
void quantise_row(simd<A>, F, std::size_t n, const float* x, const quantised_rows& q) {
  constexpr std::size_t size = input_group<F>;
  for (std::size_t g = 0; g < input_groups<F>(n); ++g) {
    const float* const group = x + g * size;
    const std::size_t count = smaller(size, n - g * size);
    const std::uint32_t largest = group_magnitude<A>(count, group);
    if (largest >= math::infinite_bits<float>) {
      quantise_not_finite(count, q.codes + g * size, q.scales[g], q.sums[g]);
      continue;
    }
    const auto extreme = std::bit_cast<float>(largest);
    q.scales[g] = extreme / 127.0f;
    q.sums[g] = quantise_group<A>(count, group, inverse_scale(extreme), q.codes + g * size);
  }
  for (std::size_t i = n; i < q.code_stride; ++i) q.codes[i] = 0;
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
