// SPDX-License-Identifier: MIT
// ctlm: operands of matrix products as tiles of 16-bit numbers, in the order in which both vdpbf16ps and AMX take them.
#pragma once

#include "../half_gemm.hpp"
#include "../widen.hpp"

#if CTLM_AVX512
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// A tile has 16 lines (rows of the left operand, columns of the right one) of 32 numbers that are multiplied and added
/// up. Of the left operand line i is numbers [i][32]; of the right one the tile is [16][lines][2]: pairs of numbers.
struct half_tile {
  static constexpr std::size_t lines = 16, depth = 32, numbers = lines * depth;
  static constexpr std::size_t max_columns = 768;  ///< of a strip of b, a third of the second cache
};

/// A number in single precision of which is read what bf16 holds of it, to nearest, or what that leaves.
struct upper_part {
  float whole;
};
struct lower_part {
  float whole;
};
CTLM_INLINE __m512 upper_parts(__m512 x) {
  const __m512i rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
  return _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32(-0x10000)));
}

/// 16 numbers of any other format in single precision.
template <class S>
CTLM_INLINE __m512 widened_sixteen(const S (&numbers)[16]) {
  if constexpr (std::same_as<S, float8_e4m3> || std::same_as<S, float8_e5m2>) {
    const auto codes = std::bit_cast<plain_vector<std::uint8_t, 16>>(numbers);
    if constexpr (std::same_as<S, float8_e4m3>) return std::bit_cast<__m512>(widened_e4m3<16>(portable{}, codes));
    return std::bit_cast<__m512>(widened_half<16>(portable{}, upper_half<16>(codes)));
  } else {
    alignas(64) float wide[16];
    for (std::size_t i = 0; i < 16; ++i) wide[i] = numbers[i];
    return _mm512_load_ps(wide);
  }
}

/// 16 numbers in single precision, of which the mask names those that are there.
template <class S>
CTLM_INLINE __m512 load_sixteen(const S* from, __mmask16 there) {
  if constexpr (std::same_as<S, upper_part> || std::same_as<S, lower_part>) {
    const __m512 x = _mm512_maskz_loadu_ps(there, &from->whole);
    if constexpr (std::same_as<S, upper_part>) return upper_parts(x);
    return _mm512_sub_ps(x, upper_parts(x));
  } else if constexpr (std::same_as<S, float>)
    return _mm512_maskz_loadu_ps(there, from);
  else if constexpr (std::same_as<S, half>)
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(there, from));
  else if constexpr (std::same_as<S, bfloat>)
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, from)), 16));
  else {  // formats of 8 bits, and those from elsewhere
    S copy[16]{};
    for (std::size_t i = 0; i < 16; ++i)
      if ((there >> i & 1) != 0) copy[i] = from[i];
    return widened_sixteen(copy);
  }
}
/// 32 numbers rounded to bf16: 16 from each place.
template <class S>
CTLM_INLINE __m512i load_bfloats(const S* low, const S* high, __mmask16 low_there, __mmask16 high_there) {
  if constexpr (std::same_as<S, bfloat>)  // which nothing has to round
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(low_there, low)),
                              _mm256_maskz_loadu_epi16(high_there, high), 1);
  else
    return std::bit_cast<__m512i>(_mm512_cvtne2ps_pbh(load_sixteen(high, high_there), load_sixteen(low, low_there)));
}
/// The first n of 16.
CTLM_INLINE __mmask16 first_of_sixteen(std::size_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xFFFFu : (1u << n) - 1u);
}

/// Exchanges rows and columns of 16 x 16 pairs of numbers.
CTLM_INLINE void transpose_pairs(__m512i (&x)[16]) {
  __m512i y[16];
  for (std::size_t i = 0; i < 16; i += 4) {
    const __m512i a = _mm512_unpacklo_epi32(x[i], x[i + 1]), b = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    const __m512i c = _mm512_unpacklo_epi32(x[i + 2], x[i + 3]), d = _mm512_unpackhi_epi32(x[i + 2], x[i + 3]);
    y[i] = _mm512_unpacklo_epi64(a, c), y[i + 1] = _mm512_unpackhi_epi64(a, c);
    y[i + 2] = _mm512_unpacklo_epi64(b, d), y[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const __m512i a = _mm512_shuffle_i32x4(y[i], y[i + 4], 0x88), b = _mm512_shuffle_i32x4(y[i], y[i + 4], 0xDD);
    const __m512i c = _mm512_shuffle_i32x4(y[i + 8], y[i + 12], 0x88),
                  d = _mm512_shuffle_i32x4(y[i + 8], y[i + 12], 0xDD);
    x[i] = _mm512_shuffle_i32x4(a, c, 0x88), x[i + 8] = _mm512_shuffle_i32x4(a, c, 0xDD);
    x[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88), x[i + 12] = _mm512_shuffle_i32x4(b, d, 0xDD);
  }
}

/// Where pairs of numbers of two rows come from: number i of both, then number i + 1.
CTLM_INLINE __m512i pairs_of_two_rows() {
  alignas(64) static constexpr auto order = [] {
    struct {
      std::uint16_t from[32];
    } o{};
    for (std::size_t i = 0; i < 32; ++i) o.from[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 16);
    return o;
  }();
  return _mm512_load_si512(&order);
}

/// Packs one tile, of an operand whose numbers lie side by side along its lines or across them.
template <bool Right, class S>
CTLM_INLINE void pack_half_tile_of_lines(const half_operand<S>& x, std::size_t lines, std::size_t depth,
                                         std::uint16_t* to) {
  __m512i row[16];
  const __m512i none = _mm512_setzero_si512();
  if (x.step == 1) {
    const __mmask16 low = first_of_sixteen(depth), high = depth > 16 ? first_of_sixteen(depth - 16) : __mmask16(0);
    for (std::size_t i = 0; i < 16; ++i) {
      const S* const from = x.data + i * x.line;
      row[i] = i < lines ? load_bfloats(from, from + 16, low, high) : none;
    }
    if constexpr (Right) transpose_pairs(row);
  } else {
    const __mmask16 there = first_of_sixteen(lines);
    const __m512i order = pairs_of_two_rows();
    for (std::size_t i = 0; i < 16; ++i) {
      const S* const from = x.data + 2 * i * x.step;
      row[i] = 2 * i < depth ? _mm512_permutexvar_epi16(order, load_bfloats(from, from + x.step, there,
                                                                            2 * i + 1 < depth ? there : __mmask16(0)))
                             : none;
    }
    if constexpr (!Right) transpose_pairs(row);
  }
  for (std::size_t i = 0; i < 16; ++i) _mm512_storeu_si512(to + 32 * i, row[i]);
}

/// Packs one tile, of an operand that has `lines` lines of `depth` numbers there, at most those of a tile. The rest
/// become zeros.
template <bool Right, class S>
CTLM_INLINE void pack_half_tile(const half_operand<S>& x, std::size_t lines, std::size_t depth, std::uint16_t* to) {
  if (x.step != 1 && x.line != 1) {  // nothing lies side by side: a copy does
    S copy[half_tile::numbers];
    for (std::size_t d = 0; d < depth; ++d)
      for (std::size_t i = 0; i < lines; ++i) copy[d * half_tile::lines + i] = x.data[i * x.line + d * x.step];
    return pack_half_tile_of_lines<Right>(half_operand<S>{copy, 1, half_tile::lines}, lines, depth, to);
  }
  pack_half_tile_of_lines<Right>(x, lines, depth, to);
}

/// Packs [lines][depth] of an operand as tiles: those of the first 16 lines, one after the other, then those of the
/// next.
template <bool Right, class S>
CTLM_NOINLINE void pack_half_tiles(const half_operand<S>& x, std::size_t lines, std::size_t depth, std::uint16_t* to) {
  const std::size_t steps = ceil_div(depth, half_tile::depth);
  auto pack_one = [&](std::size_t i, std::size_t s) CTLM_LAMBDA_INLINE {
    const std::size_t first = i * half_tile::lines, d = s * half_tile::depth;
    pack_half_tile<Right>(x.from(first, d), smaller(half_tile::lines, lines - first),
                          smaller(half_tile::depth, depth - d), to + (i * steps + s) * half_tile::numbers);
  };
  if (x.step == 1) {
    for (std::size_t i = 0; i < ceil_div(lines, half_tile::lines); ++i)
      for (std::size_t s = 0; s < steps; ++s) pack_one(i, s);
  } else {  // along what lies side by side here too
    for (std::size_t s = 0; s < steps; ++s)
      for (std::size_t i = 0; i < ceil_div(lines, half_tile::lines); ++i) pack_one(i, s);
  }
}

/// How operands are packed for both instructions.
struct packed_half_tiles {
  using tile = half_tile;
  template <bool Right, class S>
  static void pack(const half_operand<S>& x, std::size_t lines, std::size_t depth, std::uint16_t* to) {
    pack_half_tiles<Right>(x, lines, depth, to);
  }
};

/// Products of tiles with vdpbf16ps.
struct vector_tiles : packed_half_tiles {
  /// c [rows][columns] = or += the left operand's tiles times the right one's, for at most Rows times Columns tiles of
  /// c; `steps` tiles are added up.
  template <std::size_t Rows, std::size_t Columns>
  static void multiply(const std::uint16_t* a, const std::uint16_t* b, std::size_t steps, float* c, std::size_t ldc,
                       std::size_t rows, std::size_t columns, bool accumulate) {
    constexpr std::size_t at_once = 8;
    for (std::size_t i = 0; i < rows; i += at_once)
      multiply_rows<at_once, Columns>(a + (i / 16 * steps * 16 + i % 16) * 32, b, steps, c + i * ldc, ldc,
                                      smaller(at_once, rows - i), columns, accumulate);
  }

 private:
  template <std::size_t Rows, std::size_t Columns>
  CTLM_INLINE static void multiply_rows(const std::uint16_t* a, const std::uint16_t* b, std::size_t steps, float* c,
                                        std::size_t ldc, std::size_t rows, std::size_t columns, bool accumulate) {
    __m512 sums[Rows][Columns];
    for (auto& row : sums)
      for (__m512& sum : row) sum = _mm512_setzero_ps();
    for (std::size_t s = 0; s < steps; ++s, a += half_tile::numbers, b += half_tile::numbers)
      for (std::size_t p = 0; p < 16; ++p) {
        __m512i right[Columns];
        for (std::size_t j = 0; j < Columns; ++j)
          right[j] = _mm512_loadu_si512(b + j * steps * half_tile::numbers + p * 32);
        for (std::size_t r = 0; r < Rows; ++r) {
          std::int32_t pair;
          __builtin_memcpy(&pair, a + r * 32 + 2 * p, sizeof pair);
          const __m512i left = _mm512_set1_epi32(pair);
          for (std::size_t j = 0; j < Columns; ++j)
            sums[r][j] = _mm512_dpbf16_ps(sums[r][j], std::bit_cast<__m512bh>(left), std::bit_cast<__m512bh>(right[j]));
        }
      }
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t j = 0; r < rows && j < Columns && 16 * j < columns; ++j) {
        float* const out = c + r * ldc + 16 * j;
        const __mmask16 there = first_of_sixteen(columns - 16 * j);
        if (accumulate) sums[r][j] = _mm512_add_ps(sums[r][j], _mm512_maskz_loadu_ps(there, out));
        _mm512_mask_storeu_ps(out, there, sums[r][j]);
      }
  }
};

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
