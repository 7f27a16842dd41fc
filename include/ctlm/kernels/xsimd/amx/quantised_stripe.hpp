// SPDX-License-Identifier: MIT
// ctlm: sixteen rows of integer weights against sixteen tokens at a time, as tiles of AMX.
//
// A tile of weights as they lie (interleaved.hpp), four codes of each of sixteen rows side by side, is what the
// instruction takes. Its codes are made signed once and serve all tokens. A register of tiles holds two of them: 64
// columns. Where a group is 32 columns wide, the other half is zeros, and each half is multiplied alone. The sums of a
// group are the integers that VNNI would find, and become single precision as there: the bits are the same.
#pragma once

#include "../avx512/quantised_stripe.hpp"
#include "tiles.hpp"

#if CTLM_AMX
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

namespace tiled_detail {

/// Pairs of tiles whose codes are unpacked together: they stay in the first cache.
inline constexpr std::size_t most_pairs = 8;

/// What was stored before is in memory when tiles are loaded after: GCC's intrinsics do not say that they read it.
CTLM_INLINE void finish_stores() { asm volatile("" ::: "memory"); }

/// Two tiles as signed bytes. Where each is multiplied alone, zeros lie between them: a register filled from the first
/// half on has the first, and one filled from the second on has the second, with zeros for the other.
struct alignas(64) tile_pair {
  static constexpr std::size_t half = 8 * tile_bytes;
  std::uint8_t bytes[3 * half];
  const std::uint8_t* first() const { return bytes; }
  const std::uint8_t* second() const { return bytes + half; }
};

/// The codes of one tile, signed.
template <class F>
CTLM_INLINE void unpack_tile(const std::uint8_t* codes, std::uint8_t* to) {
  const __m512i mask = _mm512_set1_epi8(static_cast<char>((1 << F::low_bits) - 1));
  const __m512i zero = _mm512_set1_epi8(static_cast<char>(twice_seen_zero<F> / 2));
  __m512i high[F::high_vectors + 1];
  for (std::size_t v = 0; v < F::high_vectors; ++v) high[v] = _mm512_loadu_si512(codes + F::low_bytes + v * F::vector);
  for (std::size_t v = 0; v < F::vectors; ++v) {
    const __m512i packed = _mm512_loadu_si512(codes + v * F::vector);
    for (std::size_t p = 0; p < F::planes; ++p)
      _mm512_store_si512(to + (p * F::vectors + v) * F::vector,
                         _mm512_sub_epi8(wide_quad<F>(packed, high, v, p, mask), zero));
  }
}

/// Adds what a group's sums of sixteen tokens come to.
template <class F>
CTLM_INLINE void add_group(const matrix<const F>& w, std::size_t at, std::size_t g, const quantised_rows& q,
                           const std::int32_t* sums, __m512 (&total)[tile_rows]) {
  const __m512 scales = wide_scales<F>(w.scales + at);
  for (std::size_t i = 0; i < tile_rows; ++i)
    total[i] = wide_add<F>(total[i], _mm512_load_si512(sums + i * stripe_rows), scales, w, at,
                           q.scales[i * q.groups + g], q.sums[i * q.groups + g]);
}

/// Where a tile of sixteen tokens is loaded from.
struct token_tile {
  alignas(64) std::int8_t edge[tile_rows * tile_bytes];
  const std::int8_t* from;
  std::size_t stride;

  /// The columns of a pair of tiles; where only one is left, nothing lies behind it, and it is copied.
  CTLM_INLINE token_tile(const quantised_rows& q, std::size_t tile, std::size_t tiles)
      : from(q.codes + tile * code_chunk), stride(q.code_stride) {
    if (tile + 1 < tiles) return;
    for (std::size_t i = 0; i < tile_rows; ++i) {
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i * stride));
      _mm512_store_si512(edge + i * tile_bytes, _mm512_zextsi256_si512(x));
    }
    from = edge;
    stride = tile_bytes;
    finish_stores();
  }
};

/// The sums of the two groups of a pair.
struct alignas(64) pair_sums {
  std::int32_t first[tile_rows * stripe_rows], second[tile_rows * stripe_rows];
};

/// Multiplies sixteen tokens with the halves of a pair. Odd pairs take other tiles than even ones, so that neither
/// waits for the other.
template <bool Odd>
CTLM_INLINE void multiply_halves(const quantised_rows& q, std::size_t tile, std::size_t tiles, const tile_pair& pair,
                                 pair_sums& sums) {
  const token_tile x(q, tile, tiles);
  if constexpr (Odd) {
    _tile_loadd(4, x.from, x.stride);
    _tile_loadd(5, pair.first(), tile_bytes);
    _tile_zero(6);
    _tile_dpbssd(6, 4, 5);
    _tile_loadd(5, pair.second(), tile_bytes);
    _tile_zero(7);
    _tile_dpbssd(7, 4, 5);
    _tile_stored(6, sums.first, tile_bytes);
    _tile_stored(7, sums.second, tile_bytes);
  } else {
    _tile_loadd(0, x.from, x.stride);
    _tile_loadd(1, pair.first(), tile_bytes);
    _tile_zero(2);
    _tile_dpbssd(2, 0, 1);
    _tile_loadd(1, pair.second(), tile_bytes);
    _tile_zero(3);
    _tile_dpbssd(3, 0, 1);
    _tile_stored(2, sums.first, tile_bytes);
    _tile_stored(3, sums.second, tile_bytes);
  }
}

/// Sixteen tokens times some pairs of tiles, the first of which is tile `tile` of `tiles`. While a pair is multiplied,
/// the sums of the one before become single precision.
template <class F>
CTLM_INLINE void tiled_halves(const matrix<const F>& w, std::size_t first_scale, std::size_t tile, std::size_t tiles,
                              const tile_pair* pairs, const quantised_rows& q, __m512 (&total)[tile_rows]) {
  const std::size_t end = smaller(tiles, tile + 2 * most_pairs);
  pair_sums even, odd;
  auto add = [&](std::size_t t, const pair_sums& sums) CTLM_LAMBDA_INLINE {
    add_group<F>(w, first_scale + weight_group<F>(t) * stripe_rows, t, q, sums.first, total);
    if (t + 1 < tiles)
      add_group<F>(w, first_scale + weight_group<F>(t + 1) * stripe_rows, t + 1, q, sums.second, total);
  };
  multiply_halves<false>(q, tile, tiles, pairs[0], even);
  for (; tile < end; tile += 4, pairs += 2) {
    if (tile + 2 < end) multiply_halves<true>(q, tile + 2, tiles, pairs[1], odd);
    add(tile, even);
    if (tile + 4 < end) multiply_halves<false>(q, tile + 4, tiles, pairs[2], even);
    if (tile + 2 < end) add(tile + 2, odd);
  }
}

/// The same where groups are one or more pairs.
template <class F>
CTLM_INLINE void tiled_pairs(const matrix<const F>& w, std::size_t first_scale, std::size_t tile, std::size_t tiles,
                             const tile_pair* pairs, const quantised_rows& q, __m512 (&total)[tile_rows]) {
  constexpr std::size_t group_tiles = input_group<F> / code_chunk;
  alignas(64) std::int32_t sums[tile_rows * stripe_rows];
  for (const std::size_t end = smaller(tiles, tile + 2 * most_pairs); tile < end; tile += 2, ++pairs) {
    if (tile % group_tiles == 0) _tile_zero(2);
    const token_tile x(q, tile, tiles);
    _tile_loadd(0, x.from, x.stride);
    _tile_loadd(1, pairs->first(), tile_bytes);
    _tile_dpbssd(2, 0, 1);
    if ((tile + 2) % group_tiles != 0 && tile + 2 < tiles) continue;
    const std::size_t g = tile / group_tiles;
    _tile_stored(2, sums, tile_bytes);
    add_group<F>(w, first_scale + weight_group<F>(g) * stripe_rows, g, q, sums, total);
  }
}

/// y of sixteen tokens, which is what earlier tiles came to, and these.
template <class F>
CTLM_INLINE void tiled_rows(const matrix<const F>& w, std::size_t first_scale, std::size_t tile, std::size_t tiles,
                            const tile_pair* pairs, const quantised_rows& q, float* y) {
  __m512 total[tile_rows];
  for (std::size_t i = 0; i < tile_rows; ++i)
    total[i] = tile == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(y + i * stripe_rows);
  if constexpr (input_group<F> == code_chunk)
    tiled_halves<F>(w, first_scale, tile, tiles, pairs, q, total);
  else
    tiled_pairs<F>(w, first_scale, tile, tiles, pairs, q, total);
  for (std::size_t i = 0; i < tile_rows; ++i) _mm512_storeu_ps(y + i * stripe_rows, total[i]);
}

}  // namespace tiled_detail

/// What quantised_stripe() does, of as many tokens as there are sixteens; returns how many. Needs may_use_tiles().
template <class F>
std::size_t tiled_stripe(const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                         float* y) {
  using namespace tiled_detail;
  static_assert(most_pairs * 2 % (input_group<F> / code_chunk) == 0);
  const std::size_t tiles = F::tiles(w.cols), whole = m / tile_rows * tile_rows;
  const std::uint8_t* codes = w.codes + stripe * F::stripe_bytes(w.cols);
  const std::size_t first_scale = stripe * F::groups(w.cols) * stripe_rows;
  const tile_registers registers;
  tile_pair pairs[most_pairs];
  constexpr bool halves = input_group<F> == code_chunk;
  constexpr std::size_t second = halves ? 2 : 1;  // where the second tile begins
  for (tile_pair& p : pairs)
    for (std::size_t at = 0; at < 3 * tile_pair::half; at += tile_bytes)
      _mm512_store_si512(p.bytes + at, _mm512_setzero_si512());
  for (std::size_t tile = 0; tile < tiles; tile += 2 * most_pairs) {
    for (std::size_t t = tile; t < smaller(tiles, tile + 2 * most_pairs); ++t, codes += F::tile_bytes)
      unpack_tile<F>(codes, pairs[(t - tile) / 2].bytes + (t % 2 == 0 ? 0 : second * tile_pair::half));
    if (tiles % 2 != 0 && tiles <= tile + 2 * most_pairs)  // the last pair has one tile: what another had left is gone
      for (std::size_t at = 0; at < tile_pair::half; at += tile_bytes)
        _mm512_store_si512(pairs[(tiles - 1 - tile) / 2].bytes + second * tile_pair::half + at, _mm512_setzero_si512());
    finish_stores();
    for (std::size_t i = 0; i < whole; i += tile_rows)
      tiled_rows<F>(w, first_scale, tile, tiles, pairs, q.row(i), y + i * stripe_rows);
  }
  return whole;
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
