// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against four and more tokens' activations in int8, for AVX2.
//
// The codes of a tile are unpacked once for all tokens, a byte each; codes of 8 bits are two halves of 4 bits, each
// with sums of its own, so that sums are added in 16 bits as quantised_stripe.hpp says. Two registers of codes meet
// four tokens: those of 16 rows or, of codes of 8 bits, both halves of 8 rows. Sums of a group are put down for all
// tokens, and become numbers together: their instructions then need not wait for each other. Integer parts equal the
// portable kernel's to the bit.
#pragma once

#include "quantised_stripe.hpp"

#if CTLM_F16C && !CTLM_AVX512
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Codes of 8 bits are multiplied in halves.
template <class F>
inline constexpr bool in_halves = F::bits == 8;
/// Quads of a group that are multiplied at once, and the bytes of one: 16 rows, whose codes of 8 bits take two.
template <class F>
inline constexpr std::size_t block_quads = smaller(input_group<F>, code_chunk) / quad;
template <class F>
inline constexpr std::size_t block_quad_bytes = (in_halves<F> ? 2 : 1) * stripe_rows* quad;

/// Unpacks a tile: to[quad][8-row half][32], and of codes of 8 bits [quad][8-row half][low, high][32].
template <class F>
CTLM_INLINE void unpack_tile(const std::uint8_t* codes, std::uint8_t* to) {
  const __m256i mask = _mm256_set1_epi8(static_cast<char>((1 << F::low_bits) - 1)), four = _mm256_set1_epi8(15);
  auto* const out = reinterpret_cast<__m256i*>(to);
  for (std::size_t half = 0; half < 2; ++half) {
    const auto* const parts = reinterpret_cast<const __m256i*>(codes) + half;
    __m256i high[F::high_vectors + 1];
    for (std::size_t v = 0; v < F::high_vectors; ++v) high[v] = _mm256_loadu_si256(parts + 2 * (F::vectors + v));
    for (std::size_t v = 0; v < F::vectors; ++v) {
      const __m256i packed = _mm256_loadu_si256(parts + 2 * v);
      for (std::size_t p = 0; p < F::planes; ++p) {
        const __m256i c = avx2_quad<F>(packed, high, v, p, mask);
        const std::size_t at = 2 * (p * F::vectors + v) + half;
        if constexpr (in_halves<F>) {
          _mm256_store_si256(out + 2 * at, _mm256_and_si256(c, four));
          _mm256_store_si256(out + 2 * at + 1, _mm256_and_si256(_mm256_srli_epi16(c, 4), four));
        } else {
          _mm256_store_si256(out + at, c);
        }
      }
    }
  }
}

/// Keeps loads where they are written: compilers would load all codes ahead of a loop over tokens, to registers that
/// there are not.
template <class T>
CTLM_INLINE void keep_loads_here(const T*& numbers) {
  __asm__ volatile("" : "+r"(numbers));
}

/// Two registers of codes times four tokens' activations, quads First, First + 1, ... of them: sums of 16 bits. The
/// registers of a quad lie `step` bytes behind those of the last one. Each token has a pointer of its own: of one
/// pointer and a stride, GCC would keep an offset for each token and quad, in memory.
template <std::size_t First, std::size_t... Q>
CTLM_INLINE void pair_products(std::index_sequence<Q...>, const std::uint8_t* codes, std::size_t step,
                               const std::int8_t* const (&x)[4], __m256i (&sum)[2][4]) {
  auto add = [&](std::size_t i) CTLM_LAMBDA_INLINE {
    const auto* const pair = reinterpret_cast<const __m256i*>(codes + (First + i) * step);
    const __m256i left = _mm256_load_si256(pair), right = _mm256_load_si256(pair + 1);
    auto meet = [&](std::size_t t) CTLM_LAMBDA_INLINE {
      std::int32_t four;
      __builtin_memcpy(&four, x[t] + (First + i) * quad, sizeof four);
      const __m256i activations = _mm256_set1_epi32(four);
      const __m256i a = _mm256_maddubs_epi16(left, activations), b = _mm256_maddubs_epi16(right, activations);
      sum[0][t] = i == 0 ? a : _mm256_add_epi16(sum[0][t], a);
      keep_order(sum[0][t]);
      sum[1][t] = i == 0 ? b : _mm256_add_epi16(sum[1][t], b);
      keep_order(sum[1][t]);
    };
    meet(0), meet(1), meet(2), meet(3);
  };
  (add(Q), ...);
}

/// Adds the products of one tile, or a part of it, to sums of 32 bits.
template <class F, std::size_t First, std::size_t Sums>
CTLM_INLINE void tile_products(const std::uint8_t* codes, const std::int8_t* const (&x)[4], __m256i (&sum)[Sums][4]) {
  constexpr std::size_t few = smaller(block_quads<F>, quads_in_16_bits(in_halves<F> ? 4 : F::bits));
  const __m256i unit[2] = {_mm256_set1_epi16(1), _mm256_set1_epi16(in_halves<F> ? 16 : 1)};
  __m256i narrow[2][4];
  pair_products<First>(std::make_index_sequence<few>{}, codes, block_quad_bytes<F>, x, narrow);
  for (std::size_t r = 0; r < 2; ++r)
    for (std::size_t t = 0; t < 4; ++t) {
      __m256i& to = sum[Sums == 2 ? r : 0][t];
      to = _mm256_add_epi32(to, _mm256_madd_epi16(narrow[r][t], unit[r]));
      keep_order(to);
    }
  if constexpr (First + few < block_quads<F>) tile_products<F, First + few>(codes, x, sum);
}

/// to[4][stripe_rows] = the products of a tile, or a part of it, with four tokens' activations, or += where they are
/// not a group's first ones.
template <class F>
CTLM_INLINE void block_products(const std::uint8_t* codes, const std::int8_t* x, std::size_t stride, bool first,
                                std::int32_t* to) {
  constexpr std::size_t together = in_halves<F> ? 1 : 2;  // halves of the sixteen rows
  for (std::size_t half = 0; half < 2; half += together) {
    const std::int8_t* inputs[4] = {x, x + stride, x + 2 * stride, x + 3 * stride};
    keep_loads_here(codes);
    for (auto& input : inputs) keep_loads_here(input);
    auto* const rows = reinterpret_cast<__m256i*>(to) + half;
    __m256i sum[together][4];
    for (std::size_t t = 0; t < 4; ++t)
      for (std::size_t r = 0; r < together; ++r)
        sum[r][t] = first ? _mm256_setzero_si256() : _mm256_load_si256(rows + 2 * t + r);
    tile_products<F, 0>(codes + half * 64, inputs, sum);
    for (std::size_t t = 0; t < 4; ++t)
      for (std::size_t r = 0; r < together; ++r) _mm256_store_si256(rows + 2 * t + r, sum[r][t]);
  }
}

/// y[m][stripe_rows] += what the products of group g stand for.
template <class F>
CTLM_INLINE void add_block(const matrix<const F>& w, std::size_t stripe, std::size_t g, std::size_t m,
                           const std::int32_t* products, const quantised_rows& q, float* y) {
  constexpr int zero = twice_stored_zero<F>;
  const std::size_t at = (stripe * F::groups(w.cols) + weight_group<F>(g)) * stripe_rows;
  const __m256 scales[2] = {avx2_scales<F>(w.scales + at), avx2_scales<F>(w.scales + at + 8)};
  const float* scale = q.scales + g;
  const std::int32_t* sum = q.sums + g;
  for (std::size_t i = 0; i < m; ++i, scale += q.groups, sum += q.groups, products += stripe_rows, y += stripe_rows) {
    __m256i less = _mm256_set1_epi32(*sum);
    if constexpr (input_group<F> <= 256)  // sums of so many activations fit 16 bits
      less = _mm256_madd_epi16(_mm256_set1_epi32(-(zero / 2) & 0xFFFF), less);
    else
      less = _mm256_mullo_epi32(_mm256_set1_epi32(-(zero / 2)), less);
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256i p = _mm256_load_si256(reinterpret_cast<const __m256i*>(products + half * 8));
      float* const to = y + half * 8;
      _mm256_storeu_ps(to, avx2_add<F, zero>(_mm256_loadu_ps(to), _mm256_add_epi32(p, less), scales[half], w,
                                             at + half * 8, *scale, *sum));
    }
  }
}

/// y[i][r] as quantised_stripe() makes them, of as many of m tokens as are fours, and stripe_tokens() at most; it
/// returns how many.
template <class F>
std::size_t avx2_block(const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q, float* y) {
  constexpr std::size_t group_tiles = ceil_div(input_group<F>, code_chunk), parts = tile_part<F>::count;
  const std::size_t n = w.cols, tiles = F::tiles(n), groups = input_groups<F>(n), count = m / 4 * 4;
  const std::uint8_t* codes = w.codes + stripe * F::stripe_bytes(n);
  alignas(32) std::uint8_t unpacked[code_chunk / quad * block_quad_bytes<F>];
  alignas(32) std::int32_t products[block_tokens * stripe_rows];
  for (std::size_t i = 0; i < count * stripe_rows; ++i) y[i] = 0;
  for (std::size_t g = 0, tile = 0; g < groups;) {
    const std::size_t first = tile, end = smaller(tiles, tile + group_tiles);
    for (; tile < end; ++tile, codes += F::tile_bytes) {
      unpack_tile<F>(codes, unpacked);
      const std::int8_t* const x = q.codes + tile * code_chunk;
      for (std::size_t part = 0; part < parts && g < groups; ++part) {
        const std::size_t quads = part * block_quads<F>;
        for (std::size_t i = 0; i < count; i += 4)
          block_products<F>(unpacked + quads * block_quad_bytes<F>, x + i * q.code_stride + quads * quad, q.code_stride,
                            group_tiles == 1 || tile == first, products + i * stripe_rows);
        if (tile + 1 == end) add_block<F>(w, stripe, g++, count, products, q, y);
      }
    }
  }
  return count;
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
