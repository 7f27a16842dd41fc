// SPDX-License-Identifier: MIT
// ctlm: matrix products of operands rounded to bf16, for 64-bit Arm with instructions for it: bfcvtn rounds while
// packing, to nearest and ties to even, and bfmmla multiplies.
//
// bfmmla adds up in another way than vdpbf16ps and the portable kernel: the sum of two products first, that to the sum
// so far, each addition rounded to odd, and subnormal numbers taken as zeros (Arm Architecture Reference Manual,
// BFDotAdd). So results equal theirs only within a bound: an addition errs by up to one unit in the last place instead
// of half of one. No bit depends on how c is cut into pieces here either.
#pragma once

#include "../../../backend/xsimd.hpp"
#include "../../portable/half_products.hpp"
#include "../half_gemm.hpp"

#if CTLM_NEON_BF16

namespace ctlm { inline namespace CTLM_ABI {

/// A tile of either operand: two lines in a register, four numbers of each, and the next two lines in another.
struct neon_half_tile {
  static constexpr std::size_t lines = 4, depth = 4, numbers = lines * depth;
  static constexpr std::size_t max_columns = 256;  ///< of a strip of b: 256 KiB, which second caches hold
};

/// Four numbers, rounded to bf16.
template <class S>
CTLM_INLINE uint16x4_t four_bfloats(const S* from) {
  uint16x4_t bits;
  if constexpr (std::same_as<S, bfloat>)  // which nothing has to round
    return __builtin_memcpy(&bits, from, sizeof bits), bits;
  else if constexpr (std::same_as<S, half>)
    return __builtin_memcpy(&bits, from, sizeof bits),
           vreinterpret_u16_bf16(vcvt_bf16_f32(vcvt_f32_f16(vreinterpret_f16_u16(bits))));
  else if constexpr (std::same_as<S, float>)
    return vreinterpret_u16_bf16(vcvt_bf16_f32(vld1q_f32(from)));
  else {  // formats of 8 bits, and those from elsewhere
    const float four[4] = {from[0], from[1], from[2], from[3]};
    return vreinterpret_u16_bf16(vcvt_bf16_f32(vld1q_f32(four)));
  }
}

/// Exchanges rows and columns of 4 x 4 numbers.
CTLM_INLINE void transpose_bfloats(uint16x4_t (&x)[4]) {
  uint32x2_t even[2], odd[2];
  for (std::size_t i = 0; i < 2; ++i) {
    even[i] = vreinterpret_u32_u16(vtrn1_u16(x[2 * i], x[2 * i + 1]));
    odd[i] = vreinterpret_u32_u16(vtrn2_u16(x[2 * i], x[2 * i + 1]));
  }
  x[0] = vreinterpret_u16_u32(vtrn1_u32(even[0], even[1])), x[1] = vreinterpret_u16_u32(vtrn1_u32(odd[0], odd[1]));
  x[2] = vreinterpret_u16_u32(vtrn2_u32(even[0], even[1])), x[3] = vreinterpret_u16_u32(vtrn2_u32(odd[0], odd[1]));
}

/// Packs one tile, of an operand that has `lines` lines of `depth` numbers there. The rest become zeros.
template <class S>
CTLM_INLINE void pack_neon_tile(const half_operand<S>& x, std::size_t lines, std::size_t depth, std::uint16_t* to) {
  using tile = neon_half_tile;
  if (lines < tile::lines || depth < tile::depth || (x.step != 1 && x.line != 1)) {
    S copy[tile::numbers]{};
    for (std::size_t i = 0; i < smaller(lines, tile::lines); ++i)
      for (std::size_t d = 0; d < smaller(depth, tile::depth); ++d)
        copy[i * tile::depth + d] = x.data[i * x.line + d * x.step];
    return pack_neon_tile(half_operand<S>{copy, tile::depth, 1}, tile::lines, tile::depth, to);
  }
  uint16x4_t row[4];
  const std::size_t stride = x.step == 1 ? x.line : x.step;
  for (std::size_t i = 0; i < 4; ++i) row[i] = four_bfloats(x.data + i * stride);
  if (x.step != 1) transpose_bfloats(row);
  vst1q_u16(to, vcombine_u16(row[0], row[1]));
  vst1q_u16(to + 8, vcombine_u16(row[2], row[3]));
}

/// Products of tiles with bfmmla.
struct neon_tiles {
  using tile = neon_half_tile;

  /// Both operands alike, along what lies side by side.
  template <bool, class S>
  static void pack(const half_operand<S>& x, std::size_t lines, std::size_t depth, std::uint16_t* to) {
    const std::size_t steps = ceil_div(depth, tile::depth), blocks = ceil_div(lines, tile::lines);
    const bool along = x.step == 1;
    for (std::size_t outer = 0; outer < (along ? blocks : steps); ++outer)
      for (std::size_t inner = 0; inner < (along ? steps : blocks); ++inner) {
        const std::size_t i = along ? outer : inner, s = along ? inner : outer;
        pack_neon_tile(x.from(i * tile::lines, s * tile::depth), lines - i * tile::lines, depth - s * tile::depth,
                       to + (i * steps + s) * tile::numbers);
      }
  }

  /// c [rows][columns] = or += the left operand's tiles times the right one's, for at most Rows times Columns tiles of
  /// c; `steps` tiles are added up.
  template <std::size_t Rows, std::size_t Columns>
  static void multiply(const std::uint16_t* a, const std::uint16_t* b, std::size_t steps, float* c, std::size_t ldc,
                       std::size_t rows, std::size_t columns, bool accumulate) {
    float32x4_t sums[2 * Rows][2 * Columns];  // two rows and two columns of c each
    for (auto& row : sums)
      for (float32x4_t& sum : row) sum = vdupq_n_f32(0);
    for (std::size_t s = 0; s < steps; ++s, a += tile::numbers, b += tile::numbers) {
      bfloat16x8_t right[2 * Columns];
      for (std::size_t j = 0; j < 2 * Columns; ++j) right[j] = two_lines(b, j, steps);
      for (std::size_t i = 0; i < 2 * Rows; ++i) {
        const bfloat16x8_t left = two_lines(a, i, steps);
        for (std::size_t j = 0; j < 2 * Columns; ++j) sums[i][j] = vbfmmlaq_f32(sums[i][j], left, right[j]);
      }
    }
    for (std::size_t i = 0; i < 2 * Rows; ++i)
      for (std::size_t j = 0; j < Columns && tile::lines * j < columns; ++j) {
        const float32x4_t x = sums[i][2 * j], y = sums[i][2 * j + 1];
        float* const to = c + 2 * i * ldc + tile::lines * j;
        const std::size_t width = columns - tile::lines * j;
        if (2 * i < rows) put(vcombine_f32(vget_low_f32(x), vget_low_f32(y)), to, width, accumulate);
        if (2 * i + 1 < rows) put(vcombine_f32(vget_high_f32(x), vget_high_f32(y)), to + ldc, width, accumulate);
      }
  }

 private:
  /// Lines 2 i and 2 i + 1 of a step.
  CTLM_INLINE static bfloat16x8_t two_lines(const std::uint16_t* x, std::size_t i, std::size_t steps) {
    return vreinterpretq_bf16_u16(vld1q_u16(x + i / 2 * steps * tile::numbers + i % 2 * 8));
  }
  /// Writes or adds the first `width` of four sums.
  CTLM_INLINE static void put(float32x4_t sums, float* to, std::size_t width, bool accumulate) {
    if (width >= 4) return vst1q_f32(to, accumulate ? vaddq_f32(sums, vld1q_f32(to)) : sums);
    float four[4];
    vst1q_f32(four, sums);
    for (std::size_t j = 0; j < width; ++j) to[j] = accumulate ? to[j] + four[j] : four[j];
  }
};

template <class A>
constexpr std::size_t pieces_per_worker(products_in<simd<A>, bf16>, std::size_t workers) {
  return half_pieces_per_worker(workers);
}
template <class T, class A>
constexpr std::size_t gemm_panel(products_in<simd<A>, bf16>) {
  return half_shape<neon_half_tile>::block;
}
template <class T, class A>
constexpr std::size_t gemm_workspace(products_in<simd<A>, bf16>, std::size_t rows, std::size_t columns,
                                     std::size_t depth) {
  return half_shape<neon_half_tile>::workspace(rows, columns, depth);
}
template <class A, class Left, class Right>
void gemm(products_in<simd<A>, bf16>, std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b,
          float* c, std::size_t ldc, bool accumulate, float* workspace) {
  half_gemm<neon_tiles>(m, n, k, a, b, c, ldc, accumulate, reinterpret_cast<std::uint16_t*>(workspace));
}

}}  // namespace ctlm

#endif
