// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against activations in int8, for AVX2; avx512/quantised_stripe.hpp has wider
// registers.
//
// A register holds four codes of each of 8 rows; the four activations they meet are broadcast. Two products are summed
// in 16 bits first, which codes of 6 and fewer bits cannot overflow (2 * 63 * 127 < 32767); codes of 8 bits are made
// signed and their signs moved to the activations (2 * 128 * 127 < 32767). So all integer parts equal the portable
// kernel's to the bit. The high part of a code is shifted to its place above the low one and put in by two
// instructions.
#pragma once

#include "stripe_codes.hpp"

#if CTLM_F16C && !CTLM_AVX512
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Adds four products of each of eight rows.
template <class F>
CTLM_INLINE __m256i add_products(__m256i sum, __m256i w, __m256i x) {
  __m256i pairs;
  if constexpr (F::bits == 8) {
    const __m256i codes = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
  } else {
    pairs = _mm256_maddubs_epi16(w, x);
  }
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

/// Part Part of a tile, for eight rows: all of it, where a group is a whole tile or more.
template <class F, std::size_t Part, std::size_t M>
CTLM_INLINE void avx2_tile(const std::uint8_t* codes, const std::int8_t* x, std::size_t stride, __m256i mask,
                           __m256i (&sum)[M]) {
  using part = tile_part<F>;
  constexpr std::size_t first_v = part::first_vector(Part), first_p = part::first_plane(Part);
  const auto* parts = reinterpret_cast<const __m256i*>(codes);  // F::vector bytes are two
  __m256i high[F::high_vectors + 1];
  for (std::size_t v = 0; v < F::high_vectors; ++v) high[v] = _mm256_loadu_si256(parts + 2 * (F::vectors + v));
  for (std::size_t v = first_v; v < first_v + part::vectors; ++v) {
    const __m256i packed = _mm256_loadu_si256(parts + 2 * v);
    for (std::size_t p = first_p; p < first_p + part::planes; ++p) {
      const __m256i c = avx2_quad<F>(packed, high, v, p, mask);
      for (std::size_t i = 0; i < M; ++i) {
        std::int32_t four;
        __builtin_memcpy(&four, x + i * stride + (p * F::vectors + v) * quad, sizeof four);
        sum[i] = add_products<F>(sum[i], c, _mm256_set1_epi32(four));
      }
    }
  }
}

template <class F, std::size_t M>
CTLM_INLINE void avx2_rows(const matrix<const F>& w, std::size_t stripe, const quantised_rows& q, float* y) {
  constexpr int twice_zero = twice_seen_zero<F>;
  constexpr std::size_t group_tiles = ceil_div(input_group<F>, code_chunk), parts = tile_part<F>::count;
  const std::size_t n = w.cols, groups = input_groups<F>(n), tiles = F::tiles(n);
  const __m256i mask = _mm256_set1_epi8(static_cast<char>((1 << F::low_bits) - 1));
  for (std::size_t half = 0; half < 2; ++half) {
    const std::uint8_t* codes = w.codes + stripe * F::stripe_bytes(n) + half * 32;
    const std::int8_t* x = q.codes;
    __m256 total[M];
    for (std::size_t i = 0; i < M; ++i) total[i] = _mm256_setzero_ps();
    for (std::size_t g = 0, tile = 0; g < groups; ++g) {
      __m256i sum[M];
      for (std::size_t i = 0; i < M; ++i) sum[i] = _mm256_set1_epi32(-(twice_zero / 2) * q.sums[i * q.groups + g]);
      const std::size_t part = g % parts;
      for (const std::size_t end = smaller(tiles, tile + group_tiles); tile < end; ++tile) {
        if (M == 1 && half == 0 && part == 0) look_ahead<F, M>(codes);
        with_constant<parts>(part, [&](auto i) { avx2_tile<F, i>(codes, x, q.code_stride, mask, sum); });
        if (part + 1 < parts) break;
        codes += F::tile_bytes;
        x += code_chunk;
      }
      const std::size_t s = (stripe * F::groups(n) + weight_group<F>(g)) * stripe_rows + half * 8;
      const __m256 scales = avx2_scales<F>(w.scales + s);
      for (std::size_t i = 0; i < M; ++i) {
        const float scale = q.scales[i * q.groups + g];
        if constexpr (F::compact) {
          const __m256 less = _mm256_cvtepi32_ps(avx2_less_zero<F>(sum[i], w.minima + s, q.sums[i * q.groups + g]));
          const __m256 unit = _mm256_set1_ps(scale / F::scale_format::parts);
          total[i] = _mm256_fmadd_ps(_mm256_mul_ps(scales, unit), less, total[i]);
          continue;
        }
        __m256 exact = _mm256_cvtepi32_ps(sum[i]);
        if constexpr (twice_zero % 2 != 0)
          exact = _mm256_sub_ps(exact, _mm256_set1_ps(0.5f * static_cast<float>(q.sums[i * q.groups + g])));
        total[i] = _mm256_fmadd_ps(_mm256_mul_ps(scales, _mm256_set1_ps(scale)), exact, total[i]);
        if constexpr (F::has_min) {
          const float weight = scale * static_cast<float>(q.sums[i * q.groups + g]);
          total[i] = _mm256_fmadd_ps(avx2_scales<F>(w.minima + s), _mm256_set1_ps(weight), total[i]);
        }
      }
    }
    for (std::size_t i = 0; i < M; ++i) _mm256_storeu_ps(y + i * stripe_rows + half * 8, total[i]);
  }
}

template <class A, class F>
requires vector_groups<F>
void quantised_stripe(simd<A>, F, const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                      float* y) {
  std::size_t i = 0;
  for (; i + 4 <= m; i += 4) avx2_rows<F, 4>(w, stripe, q.row(i), y + i * stripe_rows);
  for (; i < m; ++i) avx2_rows<F, 1>(w, stripe, q.row(i), y + i * stripe_rows);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
