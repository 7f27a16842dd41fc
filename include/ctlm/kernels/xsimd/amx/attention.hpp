// SPDX-License-Identifier: MIT
// ctlm: attention of a prompt's chunk with AMX, to keys and values that were stored in fewer bits than single precision
// has.
//
// Tiles multiply numbers in bf16, which has 8 bits. So queries and exponentials, and keys and values of more bits, are
// sums of two such numbers: x rounded to bf16, and what that leaves, rounded too. x y is x1 y1 + x2 y1 + x1 y2 but for
// the 3 * 2^-16th part of it, or for the 2^-16th part where y has 8 bits. Each product is exact, and sums are in single
// precision. So scores are those of single tokens, whose queries are not rounded, but for their last digits.
#pragma once

#include "../../attention_blocks.hpp"
#include "half_tile.hpp"

#if CTLM_AMX
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

template <class A>
inline constexpr bool attends_in_blocks<simd<A>> = vector_registers<A> == 32;

/// Whether this process may use what attend_block() uses.
template <class A>
bool has_blocks(simd<A>) {
  return may_use_tiles();
}

namespace block_detail {

/// 2^x for x of at most 0, but for its 4'000'000th part; 0 where the mask has no bit, and below 2^-100: processors are
/// slow with numbers that are nearly 0. The polynomial is that of degree 5 with the least relative error in [-1/2,
/// 1/2].
CTLM_INLINE __m512 powers_of_two(__mmask16 there, __m512 x) {
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(1.3276472e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6755413e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5507133e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022120e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314694e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0000001f));
  return _mm512_maskz_scalef_ps(_mm512_mask_cmp_ps_mask(there, x, _mm512_set1_ps(-100.0f), _CMP_NLT_UQ), p, n);
}

/// Where the packed parts of an operand lie: tile s of line block i at upper + i * next + s * half_tile::numbers, and
/// the lower parts `lower` further on.
struct packed_parts {
  std::uint16_t* upper;
  std::size_t next, lower;
  packed_parts from(std::size_t lines) const { return {upper + lines / half_tile::lines * next, next, lower}; }
};

/// Packs [lines][depth] numbers of an operand, an even number of tiles beside each other.
template <bool Right, std::size_t Parts>
CTLM_INLINE void pack_parts(const float* x, std::size_t line, std::size_t step, std::size_t lines, std::size_t depth,
                            const packed_parts& to) {
  auto pack = [&]<class S>(const S* from, std::uint16_t* place) CTLM_LAMBDA_INLINE {
    pack_half_tiles<Right>(half_operand<S>{from, line, step}, lines, depth, place);
    if (const std::size_t blocks = ceil_div(lines, half_tile::lines); blocks % 2 == 1)
      __builtin_memset(place + blocks * to.next, 0, to.next * sizeof *place);
  };
  pack(reinterpret_cast<const upper_part*>(x), to.upper);
  if constexpr (Parts == 2) pack(reinterpret_cast<const lower_part*>(x), to.upper + to.lower);
}

/// c [32][32] = or += the products of two tiles of rows with two of columns, `steps` deep. Of the right operand the
/// lower parts are there if Parts is 2.
template <std::size_t Parts>
CTLM_INLINE void multiply_parts(const packed_parts& a, const packed_parts& b, std::size_t steps, float* c,
                                std::size_t ldc, bool accumulate) {
  const std::size_t stride = ldc * sizeof(float);
  float* const below = c + half_tile::lines * ldc;
  asm volatile("" ::: "memory");  // GCC does not know that tiles are loaded from memory
  if (accumulate) {
    _tile_loadd(0, c, stride);
    _tile_loadd(1, c + half_tile::lines, stride);
    _tile_loadd(2, below, stride);
    _tile_loadd(3, below + half_tile::lines, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::size_t s = 0; s < steps; ++s) {
    const std::uint16_t *const x = a.upper + s * half_tile::numbers, *const y = b.upper + s * half_tile::numbers;
    _tile_loadd(6, y, tile_bytes);
    _tile_loadd(7, y + b.next, tile_bytes);
    _tile_loadd(4, x + a.lower, tile_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, x + a.lower + a.next, tile_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    _tile_loadd(4, x, tile_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, x + a.next, tile_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    if constexpr (Parts == 2) {
      _tile_loadd(6, y + b.lower, tile_bytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(2, 5, 6);
      _tile_loadd(7, y + b.lower + b.next, tile_bytes);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, stride);
  _tile_stored(1, c + half_tile::lines, stride);
  _tile_stored(2, below, stride);
  _tile_stored(3, below + half_tile::lines, stride);
  asm volatile("" ::: "memory");
}

/// What a row has come to.
struct row_so_far {
  float* peak;    // the highest score
  float* total;   // [16] sums of exponentials, lane by lane
  float* values;  // [columns] exponentials times values
};

/// Takes in the scores of one row, `factor` of which is the power of two that belongs to them, and puts their
/// exponentials' parts where the left operand has them: two tiles, of 32 keys each. See absorb_row().
CTLM_INLINE void absorb_scores(const visible_keys& keys, float factor, const float* scores, std::size_t columns,
                               const row_so_far& row, std::uint16_t* upper, std::size_t lower) {
  if (keys.seen == 0) {
    for (std::size_t s = 0; s < 2; ++s)
      for (std::uint16_t* to : {upper, upper + lower})
        _mm512_storeu_si512(to + s * half_tile::numbers, _mm512_setzero_si512());
    return;
  }
  const std::uint64_t seen = (keys.seen == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << keys.seen) - 1) << keys.hidden;
  __m512 x[4];
  for (std::size_t v = 0; v < 4; ++v)
    x[v] = _mm512_mask_loadu_ps(_mm512_set1_ps(-std::numeric_limits<float>::infinity()),
                                static_cast<__mmask16>(seen >> (16 * v)), scores + 16 * v);
  const float highest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(x[0], x[1]), _mm512_max_ps(x[2], x[3])));
  __m512 total = _mm512_loadu_ps(row.total);
  if (highest > *row.peak) {
    const __m512 shrink = powers_of_two(0xFFFF, _mm512_set1_ps((*row.peak - highest) * factor));
    total = _mm512_mul_ps(total, shrink);
    for (std::size_t i = 0; i < columns; i += 16)
      _mm512_storeu_ps(row.values + i, _mm512_mul_ps(_mm512_loadu_ps(row.values + i), shrink));
    *row.peak = highest;
  }
  const __m512 scale = _mm512_set1_ps(factor), peak = _mm512_set1_ps(*row.peak);
  for (std::size_t v = 0; v < 4; ++v) {
    const __m512 below = _mm512_mul_ps(_mm512_sub_ps(x[v], peak), scale);  // so the highest has a power of exactly 0
    x[v] = powers_of_two(static_cast<__mmask16>(seen >> (16 * v)), below);
    total = _mm512_add_ps(total, x[v]);
  }
  _mm512_storeu_ps(row.total, total);
  for (std::size_t s = 0; s < 2; ++s) {
    const __m512 low = upper_parts(x[2 * s]), high = upper_parts(x[2 * s + 1]);
    _mm512_storeu_si512(upper + s * half_tile::numbers, std::bit_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    _mm512_storeu_si512(
        upper + lower + s * half_tile::numbers,
        std::bit_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_sub_ps(x[2 * s + 1], high), _mm512_sub_ps(x[2 * s], low))));
  }
}

}  // namespace block_detail

/// out = attention of a block of tokens: `queries` are those of the first of `group` heads, which lie side by side in
/// q and in out. `tiles(first, count)` yields keys and values, of which bf16 holds all bits where KeyParts and
/// ValueParts are 1. `scratch` has attention_block::scratch() numbers. Rows that do not become finite are computed
/// again in single precision, with ws: so a NaN reaches those that see it, and no others. Needs may_use_tiles().
template <std::size_t KeyParts, std::size_t ValueParts, class A, class Rules, class Tiles>
CTLM_NOINLINE void attend_block(block_parts<KeyParts, ValueParts>, simd<A> backend, std::size_t head_dim, float scale,
                                const query_rows<float, Rules>& queries, std::size_t group, const Tiles& tiles,
                                float* out, std::size_t out_stride, float* scratch, attention_workspace<float>& ws) {
  using namespace block_detail;
  constexpr std::size_t at_once = attention_block::rows_at_once, tile = half_tile::numbers;
  const std::size_t rows = queries.rows * group, padded = round_up(rows, at_once);
  const std::size_t d = attention_block::columns(head_dim), steps = d / half_tile::depth;
  auto take = [&](std::size_t n) {
    float* const place = scratch;
    scratch += n;
    return place;
  };
  auto take_parts = [&](std::size_t numbers, std::size_t next) {
    return packed_parts{reinterpret_cast<std::uint16_t*>(take(numbers)), next, numbers};
  };
  float* const values_so_far = take(padded * d);
  const packed_parts q = take_parts(padded * d, steps * tile), k = take_parts(key_tile * d, steps * tile);
  const packed_parts powers = take_parts(at_once * key_tile, 2 * tile);
  const packed_parts v_room = take_parts(key_tile * d, 2 * tile);
  float* const scores = take(at_once * key_tile);
  float* const totals = take(padded * 16);
  float* const peaks = take(padded);

  for (std::size_t r = 0; r < rows; ++r)
    __builtin_memcpy(values_so_far + r * head_dim, queries.q.data + r / group * queries.q.row + r % group * head_dim,
                     head_dim * sizeof(float));
  clear((padded - rows) * head_dim, values_so_far + rows * head_dim);
  pack_parts<false, 2>(values_so_far, head_dim, 1, padded, head_dim, q);
  clear(padded * d, values_so_far);
  clear(padded * 16, totals);
  for (std::size_t r = 0; r < padded; ++r) peaks[r] = -std::numeric_limits<float>::infinity();

  const float factor = scale * 1.44269504f;  // e^x is 2^(x / log(2))
  const std::size_t end = queries.most();
  const tile_registers held;
  for (std::size_t first = queries.from(0); first < end; first += key_tile) {
    const std::size_t count = smaller(key_tile, end - first), value_steps = ceil_div(count, half_tile::depth);
    const auto [keys, values] = tiles(first, count);
    pack_parts<true, KeyParts>(keys.data, keys.row, 1, count, head_dim, k);
    const packed_parts v{v_room.upper, value_steps * tile, v_room.lower};
    pack_parts<true, ValueParts>(values.data, 1, values.row, head_dim, count, v);
    for (std::size_t r0 = 0; r0 < rows; r0 += at_once) {
      const std::size_t n = smaller(at_once, rows - r0), last = (r0 + n - 1) / group;
      if (queries.sees(last) <= first || queries.from(r0 / group) >= first + count) continue;
      for (std::size_t j = 0; j < count; j += 32)
        multiply_parts<KeyParts>(q.from(r0), k.from(j), steps, scores + j, key_tile, false);
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t r = r0 + i;
        const visible_keys seen = visible_in_tile(queries, r / group, first, count);
        float* const row = scores + i * key_tile;
        apply_rules(backend, queries.rules, seen.seen, scale, row + seen.hidden);
        absorb_scores(seen, factor, row, d, {peaks + r, totals + r * 16, values_so_far + r * d},
                      powers.from(i).upper + i % half_tile::lines * half_tile::depth, powers.lower);
      }
      for (std::size_t j = 0; j < head_dim; j += 32)
        multiply_parts<ValueParts>(powers, v.from(j), value_steps, values_so_far + r0 * d + j, d, true);
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    float* const to = out + r / group * out_stride + r % group * head_dim;
    const float inverse = 1 / _mm512_reduce_add_ps(_mm512_loadu_ps(totals + r * 16));
    __m512 difference = _mm512_setzero_ps();  // of each number from itself, and so NaN where one is not finite
    for (std::size_t i = 0; i < head_dim; i += 16) {
      const __m512 x = _mm512_mul_ps(_mm512_loadu_ps(values_so_far + r * d + i), _mm512_set1_ps(inverse));
      difference = _mm512_add_ps(difference, _mm512_sub_ps(x, x));
      _mm512_storeu_ps(to + i, x);
    }
    if (_mm512_cmpneq_ps_mask(difference, _mm512_setzero_ps()) == 0) continue;
    query_rows<float, Rules> alone = queries.only(r / group);
    alone.q.data += r % group * head_dim;
    attend_once(backend, head_dim, scale, alone, tiles, to, out_stride, static_cast<float*>(nullptr), dropout_mask{},
                ws);
  }
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif

#include "stored_attention.hpp"
