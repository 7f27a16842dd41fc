// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against one token's activations in int8, for AVX2; quantised_block.hpp has four
// tokens and more, avx512/quantised_stripe.hpp wider registers.
//
// A register holds four codes of each of 8 rows; the four activations they meet are broadcast. A multiplication makes
// sums of two products in 16 bits. Codes of 8 bits are made signed for it and their signs moved to the activations
// (2 * 128 * 127 < 32767). As many sums as surely fit are added in 16 bits before they are widened: 8 of codes of 4
// bits, whose sums are at most 8 * 2 * 15 * 127 = 30480. So all integer parts equal the portable kernel's to the bit.
// The high part of a code is shifted to its place above the low one and put in by two instructions.
#pragma once

#include "../keep_order.hpp"
#include "stripe_codes.hpp"

#if CTLM_F16C && !CTLM_AVX512
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Quads whose sums of products 16 bits hold, of codes of so many bits.
constexpr std::size_t quads_in_16_bits(std::size_t bits) {
  return bits == 8 ? 1 : 32767 / 254 / ((std::size_t{1} << bits) - 1);
}

/// Sums of two of the four products of each of eight rows.
template <class F>
CTLM_INLINE __m256i products_in_pairs(__m256i w, __m256i x) {
  if constexpr (F::bits == 8) {
    const __m256i codes = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
  } else {
    return _mm256_maddubs_epi16(w, x);
  }
}
/// sum + both numbers of 16 bits of each lane.
CTLM_INLINE __m256i add_pairs(__m256i sum, __m256i pairs) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/// The codes of quad v + p * F::vectors, whose low parts are in bits p * F::low_bits and up of `packed`. `high` has the
/// tile's high parts, `mask` as many ones as a low part.
template <class F>
CTLM_INLINE __m256i avx2_quad(__m256i packed, const __m256i* high, std::size_t v, std::size_t p, __m256i mask) {
  __m256i w = packed;
  if constexpr (F::planes > 1) w = _mm256_and_si256(_mm256_srli_epi16(packed, static_cast<int>(p * F::low_bits)), mask);
  if constexpr (F::high_bits > 0) {
    const std::size_t q = p * F::vectors + v, from = q / F::high_vectors * F::high_bits;
    __m256i h = high[q % F::high_vectors];
    if (from > F::low_bits) h = _mm256_srli_epi16(h, static_cast<int>(from - F::low_bits));
    if (from < F::low_bits) h = _mm256_slli_epi16(h, static_cast<int>(F::low_bits - from));
    w = _mm256_or_si256(w, _mm256_and_si256(h, _mm256_set1_epi8(high_mask<F>)));
  }
  return w;
}

/// Scales, or minima, of eight rows.
template <class F>
CTLM_INLINE __m256 avx2_scales(const typename F::scale_element* s) {
  if constexpr (F::compact) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(s));
    return _mm256_cvtph_ps(_mm_slli_epi16(_mm_cvtepu8_epi16(bytes), 7));
  } else {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(s)));
  }
}

/// What compact groups of eight rows make of their sums of code * activation: those of (code - zero point) *
/// activation, in the parts of a code that zero points are counted in. `total` is the sum of the activations' codes.
template <class F>
CTLM_INLINE __m256i avx2_less_zero(__m256i sum, const std::uint8_t* points, std::int32_t total) {
  const __m256i z = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(points)));
  const __m256i t = _mm256_set1_epi32(total);
  const __m256i product = input_group<F> <= 256 ? _mm256_madd_epi16(z, t) : _mm256_mullo_epi32(z, t);
  return _mm256_sub_epi32(_mm256_slli_epi32(sum, static_cast<int>(F::scale_format::parts_log2)), product);
}

/// total + what eight rows make of the sums of one group of one token, whose scale and sum of codes are `scale` and
/// `codes`. Numbers `at` and on are the scales, and minima, of the rows' groups.
template <class F, int TwiceZero>
CTLM_INLINE __m256 avx2_add(__m256 total, __m256i sum, __m256 scales, const matrix<const F>& w, std::size_t at,
                            float scale, std::int32_t codes) {
  if constexpr (F::compact) {
    const __m256 less = _mm256_cvtepi32_ps(avx2_less_zero<F>(sum, w.minima + at, codes));
    return _mm256_fmadd_ps(_mm256_mul_ps(scales, _mm256_set1_ps(scale / F::scale_format::parts)), less, total);
  }
  __m256 exact = _mm256_cvtepi32_ps(sum);
  if constexpr (TwiceZero % 2 != 0) exact = _mm256_sub_ps(exact, _mm256_set1_ps(0.5f * static_cast<float>(codes)));
  total = _mm256_fmadd_ps(_mm256_mul_ps(scales, _mm256_set1_ps(scale)), exact, total);
  if constexpr (F::has_min)
    total = _mm256_fmadd_ps(avx2_scales<F>(w.minima + at), _mm256_set1_ps(scale * static_cast<float>(codes)), total);
  return total;
}

/// Adds the products of part Part of a tile: all of it, where a group is a whole tile or more.
template <class F, std::size_t Part, std::size_t... I>
CTLM_INLINE void avx2_tile(std::index_sequence<I...>, const std::uint8_t* codes, const std::int8_t* x, __m256i mask,
                           __m256i (&sum)[2]) {
  using part = tile_part<F>;
  constexpr std::size_t few = quads_in_16_bits(F::bits);
  const auto* const parts = reinterpret_cast<const __m256i*>(codes);  // F::vector bytes are two
  __m256i high[2][F::high_vectors + 1];
  for (std::size_t v = 0; v < F::high_vectors; ++v)
    for (std::size_t half = 0; half < 2; ++half)
      high[half][v] = _mm256_loadu_si256(parts + 2 * (F::vectors + v) + half);
  __m256i pairs[2];
  auto add = [&](std::size_t i) CTLM_LAMBDA_INLINE {
    const std::size_t v = part::first_vector(Part) + i / part::planes, p = part::first_plane(Part) + i % part::planes;
    std::int32_t four;
    __builtin_memcpy(&four, x + (p * F::vectors + v) * quad, sizeof four);
    const __m256i activations = _mm256_set1_epi32(four);
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256i packed = _mm256_loadu_si256(parts + 2 * v + half);
      const __m256i now = products_in_pairs<F>(avx2_quad<F>(packed, high[half], v, p, mask), activations);
      pairs[half] = i % few == 0 ? now : _mm256_add_epi16(pairs[half], now);
      keep_order(pairs[half]);
      if ((i + 1) % few != 0 && i + 1 < sizeof...(I)) continue;
      sum[half] = add_pairs(sum[half], pairs[half]);
      keep_order(sum[half]);
    }
  };
  (add(I), ...);
}

/// y[stripe_rows] of one token.
template <class F>
CTLM_INLINE void avx2_rows(const matrix<const F>& w, std::size_t stripe, const quantised_rows& q, float* y) {
  using part = tile_part<F>;
  constexpr int twice_zero = twice_seen_zero<F>;
  constexpr std::size_t group_tiles = ceil_div(input_group<F>, code_chunk);
  const std::size_t n = w.cols, groups = input_groups<F>(n), tiles = F::tiles(n);
  const __m256i mask = _mm256_set1_epi8(static_cast<char>((1 << F::low_bits) - 1));
  const std::uint8_t* codes = w.codes + stripe * F::stripe_bytes(n);
  const std::int8_t* x = q.codes;
  __m256 total[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (std::size_t g = 0, tile = 0; g < groups; ++g) {
    const __m256i start = _mm256_set1_epi32(-(twice_zero / 2) * q.sums[g]);
    __m256i sum[2] = {start, start};
    for (const std::size_t end = smaller(tiles, tile + group_tiles); tile < end; ++tile) {
      const std::size_t own = g % part::count;
      if (own == 0) look_ahead<F, 1>(codes);
      with_constant<part::count>(own, [&](auto i) CTLM_LAMBDA_INLINE {
        avx2_tile<F, i>(std::make_index_sequence<part::quads>{}, codes, x, mask, sum);
      });
      if (own + 1 < part::count) break;
      codes += F::tile_bytes;
      x += code_chunk;
    }
    const std::size_t s = (stripe * F::groups(n) + weight_group<F>(g)) * stripe_rows;
    for (std::size_t half = 0; half < 2; ++half)
      total[half] = avx2_add<F, twice_zero>(total[half], sum[half], avx2_scales<F>(w.scales + s + half * 8), w,
                                            s + half * 8, q.scales[g], q.sums[g]);
  }
  for (std::size_t half = 0; half < 2; ++half) _mm256_storeu_ps(y + half * 8, total[half]);
}

template <class F>
std::size_t avx2_block(const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q, float* y);

/// Tokens that share the codes of a stripe once they are unpacked.
inline constexpr std::size_t block_tokens = 64;
template <class A>
constexpr std::size_t stripe_tokens(simd<A>) {
  return block_tokens;
}

template <class A, class F>
requires vector_groups<F>
void quantised_stripe(simd<A>, F, const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                      float* y) {
  std::size_t i = 0;
  while (i + 4 <= m) i += avx2_block<F>(w, stripe, smaller(m - i, block_tokens), q.row(i), y + i * stripe_rows);
  for (; i < m; ++i) avx2_rows<F>(w, stripe, q.row(i), y + i * stripe_rows);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
