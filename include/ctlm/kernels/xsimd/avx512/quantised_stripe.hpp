// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against activations in int8, for AVX-512BW and AVX-512 VNNI.
//
// A register holds four codes of each of 16 rows; the four activations they meet are broadcast. VNNI multiplies and
// sums all four in one instruction. Without it two products are summed in 16 bits first, as avx2/quantised_stripe.hpp
// says. All integer parts equal the portable kernel's to the bit.
//
// Of codes of 3 and fewer bits, whose low parts lie four or more in a byte, GFNI shifts and masks a part in one
// instruction: bits of a byte times a matrix of bits. The high part of a code is shifted to its place above the low one
// and put in by one instruction.
#pragma once

#include "../amx/tiles.hpp"

#if CTLM_AVX512
#include "../avx2/stripe_codes.hpp"
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Adds four products of each of sixteen rows.
template <class F>
CTLM_INLINE __m512i add_products(__m512i sum, __m512i w, __m512i x) {
#if CTLM_AVX512VNNI
  return _mm512_dpbusd_epi32(sum, w, x);
#else
  if constexpr (F::bits == 8) {
    const __m512i codes = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
    x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(codes), _mm512_setzero_si512(), x);
    w = _mm512_abs_epi8(codes);
  }
  return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(w, x), _mm512_set1_epi16(1)));
#endif
}

#if CTLM_AVX512GFNI
/// A matrix of bits, for _mm512_gf2p8affine_epi64_epi8: bits [shift, shift + count) of a byte become its lowest.
constexpr long long bits_from(std::size_t shift, std::size_t count) {
  std::uint64_t m = 0;
  for (std::size_t i = 0; i < count; ++i) m |= std::uint64_t{1} << (8 * (7 - i) + shift + i);
  return static_cast<long long>(m);
}
#endif

/// Part p of each byte, `mask` as many ones as a part.
template <class F>
CTLM_INLINE __m512i wide_part(__m512i packed, std::size_t p, __m512i mask) {
#if CTLM_AVX512GFNI
  if constexpr (F::planes > 2)
    if (p > 0)
      return _mm512_gf2p8affine_epi64_epi8(packed, _mm512_set1_epi64(bits_from(p * F::low_bits, F::low_bits)), 0);
#endif
  return _mm512_and_si512(_mm512_srli_epi32(packed, static_cast<unsigned>(p * F::low_bits)), mask);
}

/// The codes of quad v + p * F::vectors, whose low parts are in bits p * F::low_bits and up of `packed`. `high` has the
/// tile's high parts, `mask` as many ones as a low part.
template <class F>
CTLM_INLINE __m512i wide_quad(__m512i packed, const __m512i* high, std::size_t v, std::size_t p, __m512i mask) {
  __m512i w = packed;
  if constexpr (F::planes > 1) w = wide_part<F>(packed, p, mask);
  if constexpr (F::high_bits > 0) {
    const std::size_t q = p * F::vectors + v, from = q / F::high_vectors * F::high_bits;
    __m512i h = high[q % F::high_vectors];
    if (from > F::low_bits) h = _mm512_srli_epi32(h, static_cast<unsigned>(from - F::low_bits));
    if (from < F::low_bits) h = _mm512_slli_epi32(h, static_cast<unsigned>(F::low_bits - from));
    w = _mm512_ternarylogic_epi32(w, h, _mm512_set1_epi8(high_mask<F>), 0xF8);  // w | (h & mask)
  }
  return w;
}

/// Part Part of a tile: all of it, where a group is a whole tile or more.
template <class F, std::size_t Part, std::size_t M>
CTLM_INLINE void wide_tile(const std::uint8_t* codes, const std::int8_t* x, std::size_t stride, __m512i (&sum)[M]) {
  using part = tile_part<F>;
  constexpr std::size_t first_v = part::first_vector(Part), first_p = part::first_plane(Part);
  const __m512i mask = _mm512_set1_epi8(static_cast<char>((1 << F::low_bits) - 1));
  __m512i high[F::high_vectors + 1];
  for (std::size_t v = 0; v < F::high_vectors; ++v) high[v] = _mm512_loadu_si512(codes + F::low_bytes + v * F::vector);
  for (std::size_t v = first_v; v < first_v + part::vectors; ++v) {
    const __m512i packed = _mm512_loadu_si512(codes + v * F::vector);
    for (std::size_t p = first_p; p < first_p + part::planes; ++p) {
      const __m512i w = wide_quad<F>(packed, high, v, p, mask);
      for (std::size_t i = 0; i < M; ++i) {
        std::int32_t four;
        __builtin_memcpy(&four, x + i * stride + (p * F::vectors + v) * quad, sizeof four);
        sum[i] = add_products<F>(sum[i], w, _mm512_set1_epi32(four));
      }
    }
  }
}

/// What a group's sums start with: -zero * (sum of the activations' codes), where `zero` is the code that means zero
/// (for int2, whose zero lies between two codes, the lower one; the missing half is subtracted in the end). The
/// products that are added are code * activation; with this start, the result is (code - zero) * activation. Sums of up
/// to 256 activations fit 16 bits: they are multiplied in the register, which is faster.
template <class F>
CTLM_INLINE __m512i wide_start(const std::int32_t& sum) {
  constexpr int factor = -(twice_seen_zero<F> / 2);
  if constexpr (input_group<F> <= 256)
    return _mm512_madd_epi16(_mm512_set1_epi32(factor & 0xFFFF), _mm512_set1_epi32(sum));
  else
    return _mm512_set1_epi32(factor * sum);
}

/// Scales, or minima, of sixteen rows.
template <class F>
CTLM_INLINE __m512 wide_scales(const typename F::scale_element* s) {
  if constexpr (F::compact) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s));
    return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(bytes), 7));
  } else {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(s)));
  }
}

/// What compact groups of sixteen rows make of their sums of code * activation: those of (code - zero point) *
/// activation, in the parts of a code that zero points are counted in. `total` is the sum of the activations' codes.
template <class F>
CTLM_INLINE __m512i wide_less_zero(__m512i sum, const std::uint8_t* points, std::int32_t total) {
  const __m512i z = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(points)));
  const __m512i parts = _mm512_slli_epi32(sum, static_cast<unsigned>(F::scale_format::parts_log2));
#if CTLM_AVX512VNNI
  if constexpr (input_group<F> <= 256) return _mm512_dpwssd_epi32(parts, z, _mm512_set1_epi32(-total & 0xFFFF));
#endif
  const __m512i t = _mm512_set1_epi32(total);
  return _mm512_sub_epi32(parts, input_group<F> <= 256 ? _mm512_madd_epi16(z, t) : _mm512_mullo_epi32(z, t));
}

/// total + what sixteen rows make of the sums of one group of one token, whose scale and sum of codes are `scale` and
/// `codes`. The scales of the rows' groups, and their minima, begin at number `at`.
template <class F>
CTLM_INLINE __m512 wide_add(__m512 total, __m512i sum, __m512 scales, const matrix<const F>& w, std::size_t at,
                            float scale, std::int32_t codes) {
  if constexpr (F::compact) {
    const __m512 less = _mm512_cvtepi32_ps(wide_less_zero<F>(sum, w.minima + at, codes));
    const __m512 unit = _mm512_set1_ps(scale / F::scale_format::parts);
    return _mm512_fmadd_ps(_mm512_mul_ps(scales, unit), less, total);
  }
  __m512 exact = _mm512_cvtepi32_ps(sum);
  if constexpr (twice_seen_zero<F> % 2 != 0)
    exact = _mm512_sub_ps(exact, _mm512_set1_ps(0.5f * static_cast<float>(codes)));
  total = _mm512_fmadd_ps(_mm512_mul_ps(scales, _mm512_set1_ps(scale)), exact, total);
  if constexpr (F::has_min) {
    const float weight = scale * static_cast<float>(codes);
    total = _mm512_fmadd_ps(wide_scales<F>(w.minima + at), _mm512_set1_ps(weight), total);
  }
  return total;
}

template <class F, std::size_t M>
CTLM_INLINE void wide_rows(const matrix<const F>& w, std::size_t stripe, const quantised_rows& q, float* y) {
  constexpr std::size_t group_tiles = ceil_div(input_group<F>, code_chunk), parts = tile_part<F>::count;
  const std::size_t n = w.cols, groups = input_groups<F>(n), tiles = F::tiles(n);
  const std::uint8_t* codes = w.codes + stripe * F::stripe_bytes(n);
  const std::size_t first_scale = stripe * F::groups(n) * stripe_rows;
  __m512 total[M];
  for (std::size_t i = 0; i < M; ++i) total[i] = _mm512_setzero_ps();
  const std::int8_t* x = q.codes;
  for (std::size_t g = 0, tile = 0; g < groups; ++g) {
    __m512i sum[M];
    for (std::size_t i = 0; i < M; ++i) sum[i] = wide_start<F>(q.sums[i * q.groups + g]);
    auto add_tile = [&](std::size_t part) {
      if (part == 0) look_ahead<F, M>(codes);
      with_constant<parts>(part, [&](auto i) { wide_tile<F, i>(codes, x, q.code_stride, sum); });
      if (part + 1 < parts) return;
      codes += F::tile_bytes;
      x += code_chunk;
    };
    if constexpr (group_tiles == 1)
      add_tile(g % parts);
    else
      for (const std::size_t end = smaller(tiles, tile + group_tiles); tile < end; ++tile) add_tile(0);
    const std::size_t at = first_scale + weight_group<F>(g) * stripe_rows;
    const __m512 scales = wide_scales<F>(w.scales + at);
    for (std::size_t i = 0; i < M; ++i)
      total[i] = wide_add<F>(total[i], sum[i], scales, w, at, q.scales[i * q.groups + g], q.sums[i * q.groups + g]);
  }
  for (std::size_t i = 0; i < M; ++i) _mm512_storeu_ps(y + i * stripe_rows, total[i]);
}

#if CTLM_AMX
/// Groups of which a pair of tiles has one or two, or that are some pairs: amx/quantised_stripe.hpp multiplies those.
template <class F>
inline constexpr bool tiled_groups = input_group<F> == code_chunk || input_group<F> == 2 * code_chunk ||
                                     input_group<F> == 4 * code_chunk || input_group<F> == 8 * code_chunk;
template <class F>
std::size_t tiled_stripe(const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                         float* y);

/// Tokens that share the codes of a stripe once they are unpacked.
template <class A>
constexpr std::size_t stripe_tokens(simd<A>) {
  return 128;
}
#endif

template <class A, class F>
requires vector_groups<F>
void quantised_stripe(simd<A>, F, const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                      float* y) {
  std::size_t i = 0;
#if CTLM_AMX
  if constexpr (tiled_groups<F>)
    if (m >= 16 && may_use_tiles()) i = tiled_stripe<F>(w, stripe, m, q, y);
#endif
  for (; i + 8 <= m; i += 8) wide_rows<F, 8>(w, stripe, q.row(i), y + i * stripe_rows);
  for (; i + 4 <= m; i += 4) wide_rows<F, 4>(w, stripe, q.row(i), y + i * stripe_rows);
  for (; i < m; ++i) wide_rows<F, 1>(w, stripe, q.row(i), y + i * stripe_rows);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
