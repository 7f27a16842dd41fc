// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against activations in int8, for 64-bit Arm: with the dot product instruction
// where the target has it, with widening products where not. All integer parts equal the portable kernel's to the bit.
#pragma once

#include "../../../backend/xsimd.hpp"
#include "../../portable/quantised_stripe.hpp"

#if CTLM_NEON

namespace ctlm { inline namespace CTLM_ABI {

/// Adds four products of each of four rows.
CTLM_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t w, int8x16_t x) {
#if CTLM_NEON_DOT
  return vdotq_s32(sum, w, x);
#else
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)));
  const int32x4_t high = vpaddlq_s16(vmull_high_s8(w, x));
  return vaddq_s32(sum, vpaddq_s32(low, high));
#endif
}

/// Bits [from, from + count) of each byte, moved to bits [to, to + count).
CTLM_INLINE uint8x16_t bits_of(uint8x16_t packed, std::size_t from, std::size_t to, std::size_t count) {
  const auto shift = vdupq_n_s8(static_cast<std::int8_t>(static_cast<int>(to) - static_cast<int>(from)));
  return vandq_u8(vshlq_u8(packed, shift), vdupq_n_u8(static_cast<std::uint8_t>(((1u << count) - 1) << to)));
}

/// The codes of quad v + p * F::vectors, whose low parts are in `packed`; `tile` has those of the same rows. Codes of 8
/// bits are made signed: what is stored as 128 is zero.
template <class F>
CTLM_INLINE int8x16_t neon_quad(uint8x16_t packed, const std::uint8_t* tile, std::size_t v, std::size_t p) {
  if constexpr (F::bits == 8) return vreinterpretq_s8_u8(veorq_u8(packed, vdupq_n_u8(0x80)));
  uint8x16_t code = bits_of(packed, p * F::low_bits, 0, F::low_bits);
  if constexpr (F::high_bits > 0) {
    const std::size_t q = p * F::vectors + v;
    const uint8x16_t high = vld1q_u8(tile + F::low_bytes + q % F::high_vectors * F::vector);
    code = vorrq_u8(code, bits_of(high, q / F::high_vectors * F::high_bits, F::low_bits, F::high_bits));
  }
  return vreinterpretq_s8_u8(code);
}

/// Four bytes in lanes of 16 bits; the upper four lanes are 0.
CTLM_INLINE uint16x4_t four_bytes(const std::uint8_t* from) {
  std::uint32_t four;
  __builtin_memcpy(&four, from, sizeof four);
  return vget_low_u16(vmovl_u8(vcreate_u8(four)));
}

/// Scales, or minima, of four rows.
template <class F>
CTLM_INLINE float32x4_t neon_scales(const typename F::scale_element* s) {
  if constexpr (F::compact)
    return vcvt_f32_f16(vreinterpret_f16_u16(vshl_n_u16(four_bytes(s), 7)));
  else
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(s)));
}

/// What compact groups of four rows make of their sums of code * activation: those of (code - zero point) *
/// activation, in the parts of a code that zero points are counted in. `total` is the sum of the activations' codes.
template <class F>
CTLM_INLINE int32x4_t neon_less_zero(int32x4_t sum, const std::uint8_t* points, std::int32_t total) {
  const int32x4_t z = vreinterpretq_s32_u32(vmovl_u16(four_bytes(points)));
  return vmlsq_n_s32(vshlq_n_s32(sum, static_cast<int>(F::scale_format::parts_log2)), z, total);
}

/// Part Part of a tile: all of it, where a group is a whole tile or more.
template <class F, std::size_t Part, std::size_t M, std::size_t Fours>
CTLM_INLINE void neon_tile(const std::uint8_t* codes, const std::int8_t* x, std::size_t stride,
                           int32x4_t (&sum)[M][Fours]) {
  using part = tile_part<F>;
  constexpr std::size_t first_v = part::first_vector(Part), first_p = part::first_plane(Part);
  for (std::size_t v = first_v; v < first_v + part::vectors; ++v)
    for (std::size_t rows = 0; rows < Fours; ++rows) {
      const uint8x16_t packed = vld1q_u8(codes + v * F::vector + rows * 16);
      for (std::size_t p = first_p; p < first_p + part::planes; ++p) {
        const int8x16_t c = neon_quad<F>(packed, codes + rows * 16, v, p);
        for (std::size_t i = 0; i < M; ++i) {
          std::int32_t four;
          __builtin_memcpy(&four, x + i * stride + (p * F::vectors + v) * quad, sizeof four);
          sum[i][rows] = add_products(sum[i][rows], c, vreinterpretq_s8_s32(vdupq_n_s32(four)));
        }
      }
    }
}

template <class F, std::size_t M>
CTLM_INLINE void neon_rows(const matrix<const F>& w, std::size_t stripe, const quantised_rows& q, float* y) {
  constexpr int twice_zero = twice_stored_zero<F> - (F::bits == 8 ? 256 : 0);
  constexpr std::size_t parts = stripe_rows / 4;
  constexpr std::size_t group_tiles = ceil_div(input_group<F>, code_chunk), in_tile = tile_part<F>::count;
  const std::size_t n = w.cols, groups = input_groups<F>(n), tiles = F::tiles(n);
  const std::uint8_t* codes = w.codes + stripe * F::stripe_bytes(n);
  const std::int8_t* x = q.codes;
  float32x4_t total[M][parts];
  for (auto& row : total)
    for (auto& t : row) t = vdupq_n_f32(0);
  for (std::size_t g = 0, tile = 0; g < groups; ++g) {
    int32x4_t sum[M][parts];
    for (std::size_t i = 0; i < M; ++i)
      for (auto& s : sum[i]) s = vdupq_n_s32(-(twice_zero / 2) * q.sums[i * q.groups + g]);
    const std::size_t place = g % in_tile;
    for (const std::size_t end = smaller(tiles, tile + group_tiles); tile < end; ++tile) {
      with_constant<in_tile>(place, [&](auto i) { neon_tile<F, i>(codes, x, q.code_stride, sum); });
      if (place + 1 < in_tile) break;
      codes += F::tile_bytes;
      x += code_chunk;
    }
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t s = (stripe * F::groups(n) + weight_group<F>(g)) * stripe_rows + part * 4;
      const float32x4_t scales = neon_scales<F>(w.scales + s);
      for (std::size_t i = 0; i < M; ++i) {
        const float scale = q.scales[i * q.groups + g];
        if constexpr (F::compact) {
          const int32x4_t less = neon_less_zero<F>(sum[i][part], w.minima + s, q.sums[i * q.groups + g]);
          const float32x4_t unit = vmulq_n_f32(scales, scale / F::scale_format::parts);
          total[i][part] = vfmaq_f32(total[i][part], unit, vcvtq_f32_s32(less));
          continue;
        }
        const auto codes_sum = static_cast<float>(q.sums[i * q.groups + g]);
        float32x4_t exact = vcvtq_f32_s32(sum[i][part]);
        if constexpr (twice_zero % 2 != 0) exact = vsubq_f32(exact, vdupq_n_f32(0.5f * codes_sum));
        total[i][part] = vfmaq_f32(total[i][part], vmulq_n_f32(scales, scale), exact);
        if constexpr (F::has_min) {
          total[i][part] = vfmaq_n_f32(total[i][part], neon_scales<F>(w.minima + s), scale * codes_sum);
        }
      }
    }
  }
  for (std::size_t i = 0; i < M; ++i)
    for (std::size_t part = 0; part < parts; ++part) vst1q_f32(y + i * stripe_rows + part * 4, total[i][part]);
}

template <class A, class F>
requires vector_groups<F>
void quantised_stripe(simd<A>, F, const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                      float* y) {
  std::size_t i = 0;
  for (; i + 4 <= m; i += 4) neon_rows<F, 4>(w, stripe, q.row(i), y + i * stripe_rows);
  for (; i < m; ++i) neon_rows<F, 1>(w, stripe, q.row(i), y + i * stripe_rows);
}

}}  // namespace ctlm

#endif
