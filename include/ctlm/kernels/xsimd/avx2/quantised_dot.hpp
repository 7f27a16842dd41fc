// SPDX-License-Identifier: MIT
// ctlm: rows of integer weights against int8 activations, 32 products at a time.
//
// Codes of int4 and int2 are unsigned and small: maddubs adds two products in 16 bits without saturation
// (2 * 15 * 127 < 32767). Codes of int8 are widened to 16 bits first, which is exact as well; so all integer parts
// equal the portable kernel's to the bit.
#pragma once

#include "../../../arch/xsimd.hpp"
#include "../../../format/int2.hpp"
#include "../../../format/int4.hpp"
#include "../../../format/int8.hpp"
#include "../../portable/quantised_dot.hpp"

namespace ctlm::inline CTLM_ABI {

/// Eight partial sums of 32 products of codes and activations.
template <std::size_t G, range R>
CTLM_INLINE __m256i block_products(int8<G, R>, const std::int8_t* codes, const std::int8_t* x) {
  const auto* w = reinterpret_cast<const __m128i*>(codes);
  const auto* v = reinterpret_cast<const __m128i*>(x);
  const __m256i low =
      _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(w)), _mm256_cvtepi8_epi16(_mm_loadu_si128(v)));
  const __m256i high =
      _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(w + 1)), _mm256_cvtepi8_epi16(_mm_loadu_si128(v + 1)));
  return _mm256_add_epi32(low, high);
}
CTLM_INLINE __m256i unsigned_products(__m256i codes, const std::int8_t* x) {
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, v), _mm256_set1_epi16(1));
}
template <std::size_t G, range R>
CTLM_INLINE __m256i block_products(int4<G, R>, const std::uint8_t* codes, const std::int8_t* x) {
  const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m256i planes = _mm256_set_m128i(_mm_srli_epi16(packed, 4), packed);
  return unsigned_products(_mm256_and_si256(planes, _mm256_set1_epi8(15)), x);
}
template <std::size_t G, range R>
CTLM_INLINE __m256i block_products(int2<G, R>, const std::uint8_t* codes, const std::int8_t* x) {
  const __m256i packed = _mm256_set1_epi64x(*reinterpret_cast<const long long*>(codes));
  const __m256i planes = _mm256_srlv_epi64(packed, _mm256_set_epi64x(6, 4, 2, 0));
  return unsigned_products(_mm256_and_si256(planes, _mm256_set1_epi8(3)), x);
}

CTLM_INLINE float sum_lanes(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

CTLM_INLINE float scale_of(std::uint16_t h) {
#if CTLM_F16C
  return _cvtsh_ss(h);
#else
  return half_to_float(h);
#endif
}

/// Groups must start at a block of packed codes; others go to the portable kernel.
template <class F>
inline constexpr bool blockwise = F::group == per_channel || F::group % code_block == 0;

template <class A, quantised_format F>
requires blockwise<F>
float quantised_dot(simd<A>, F format, const matrix<const F>& w, std::size_t row, const quantised_vector& q) {
  constexpr std::size_t bytes = code_block * F::bits / 8;
  const std::size_t n = w.cols, size = F::group_size(n), groups = F::groups(n);
  const auto* codes = w.codes + row * F::row_codes(n);
  __m256 total = _mm256_setzero_ps();
  float rest = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t end = smaller((g + 1) * size, n);
    __m256i products = _mm256_setzero_si256();
    std::size_t i = g * size;
    for (; i + code_block <= end; i += code_block)
      products = _mm256_add_epi32(products, block_products(format, codes + i / code_block * bytes, q.codes + i));
    std::int32_t tail = 0;
    for (; i < end; ++i) tail += F::get(codes, i) * q.codes[i];
    const float scale = scale_of(w.scales[row * groups + g]), both = scale * q.scales[g];
    total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), _mm256_set1_ps(both), total);
    rest += both * static_cast<float>(tail);
    if constexpr (F::has_min)
      rest += scale_of(w.minima[row * groups + g]) * q.sums[g];
    else if constexpr (F::zero != 0)
      rest -= F::zero * scale * q.sums[g];
  }
  return sum_lanes(total) + rest;
}

}  // namespace ctlm::inline CTLM_ABI
