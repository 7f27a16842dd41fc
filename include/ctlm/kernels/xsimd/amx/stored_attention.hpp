// SPDX-License-Identifier: MIT
// ctlm: attention of a single token to keys and values of 8 bits, a scale for each row, with AMX.
//
// All numbers become integers, whose products are added up exactly: queries of 16 bits, which are two digits of 8, and
// exponentials times the scales of values of 24 bits, which are three. Digits are signed. Keys lie as a tile's rows;
// digits of all heads that share them are the columns. Values become tiles of four positions side by side, and digits
// are the rows. So each key and each value is read once for up to four heads.
#pragma once

#include "attention.hpp"

#if CTLM_AMX
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

template <class A>
inline constexpr bool absorbs_stored<simd<A>, stored_tile<int8<>, int8<>>> = vector_registers<A> == 32;

namespace stored_tiles_detail {

inline constexpr std::size_t most_heads = 4;  // that are taken together
inline constexpr std::size_t most_steps = 4;  // tiles beside each other that hold a row, of 64 bytes each
inline constexpr std::size_t query_digits = 2, weight_digits = 3;
inline constexpr std::size_t score_columns = most_heads * query_digits, weight_rows = most_heads * weight_digits;
inline constexpr float most_query = 127 * 256 + 127;     // two digits
inline constexpr float most_weight = 127 * 65536 + 255;  // three digits, and room for rounding

/// 0 and 1 are sums of scores, 2 are queries, 3 and 4 keys or values, 5 exponentials, 6 and 7 sums of values.
inline constexpr tile_sizes sizes_of_tiles = [] {
  tile_sizes its;
  for (std::size_t i = 0; i < 3; ++i) its.row_bytes[i] = score_columns * 4;
  for (std::size_t i = 5; i < 8; ++i) its.rows[i] = weight_rows;
  return its;
}();

/// What was stored before is in memory when tiles are loaded after, and the other way round.
CTLM_INLINE void finish_stores() { asm volatile("" ::: "memory"); }

/// The highest of magnitudes, as the bits that they are: a NaN's are the highest.
CTLM_INLINE __m512i higher_magnitude(__m512i highest, __m512 x) {
  return _mm512_max_epu32(highest, _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7FFFFFFF)));
}

/// How numbers become integers of at most `most`: x = unit * integer. The unit is NaN where a number is not finite.
struct integer_scale {
  float unit, inverse;

  CTLM_INLINE integer_scale(__m512i magnitudes, float most) {
    const std::uint32_t largest = _mm512_reduce_max_epu32(magnitudes);
    const auto extreme = std::bit_cast<float>(largest);
    const bool finite = largest < math::infinite_bits<float>;
    inverse = finite && extreme > 0x1p-100f ? most / extreme : 0.0f;
    unit = finite ? extreme / most : std::numeric_limits<float>::quiet_NaN();
  }
};

/// Everything that up to four heads need beside keys and values.
struct working_set {
  alignas(64) std::int8_t queries[most_steps][tile_rows][score_columns][4];
  alignas(64) std::int8_t weights[weight_rows][tile_bytes];
  alignas(64) std::int8_t values[4][tile_rows][tile_bytes];
  alignas(64) std::int8_t keys[2][tile_rows * most_steps * tile_bytes];  // that do not lie one behind the other
  alignas(64) std::int32_t dots[key_tile][score_columns];
  alignas(64) std::int32_t sums[4][weight_rows][16];
  alignas(64) float scores[most_heads][key_tile];
  alignas(64) float totals[most_heads][16];
  alignas(64) float out[most_heads][most_steps * tile_bytes];  // numbers of 64 columns in the order of `sums`
  float query_units[most_heads], weight_units[most_heads], peaks[most_heads];
};

/// Digits of a head's query.
CTLM_INLINE void take_query(const float* q, std::size_t head, std::size_t columns, working_set& w) {
  __m512i largest = _mm512_setzero_si512();
  for (std::size_t i = 0; i < columns; i += 16) largest = higher_magnitude(largest, _mm512_loadu_ps(q + i));
  const integer_scale scale(largest, most_query);
  w.query_units[head] = scale.unit;
  for (std::size_t i = 0; i < columns; i += 16) {
    const __m512i x = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(q + i), _mm512_set1_ps(scale.inverse)));
    const __m128i low = _mm512_cvtepi32_epi8(x);
    const __m128i high = _mm512_cvtepi32_epi8(_mm512_srai_epi32(_mm512_add_epi32(x, _mm512_set1_epi32(128)), 8));
    std::uint32_t fours[2][4];
    __builtin_memcpy(fours[0], &high, sizeof high);
    __builtin_memcpy(fours[1], &low, sizeof low);
    for (std::size_t d = 0; d < 2; ++d)
      for (std::size_t j = 0; j < 4; ++j)
        __builtin_memcpy(w.queries[i / tile_bytes][i / 4 % tile_rows + j][d * most_heads + head], &fours[d][j], 4);
  }
}

/// Rows [j, j + 16) of keys, one behind the other: where they are, or copied to `room`. Those from `count` on are
/// anything.
CTLM_INLINE const std::int8_t* key_block(const stored_rows<int8<>>& keys, std::size_t j, std::size_t count,
                                         std::int8_t* room) {
  const std::size_t bytes = keys.from.cols, end = j + tile_rows;
  if (end <= count && (end <= keys.before || j >= keys.before)) return keys.from.codes + keys.row(j) * bytes;
  for (std::size_t i = j; i < smaller(end, count); ++i)
    __builtin_memcpy(room + (i - j) * bytes, keys.from.codes + keys.row(i) * bytes, bytes);
  return room;
}

/// The products of all digits of queries with keys.
CTLM_INLINE void multiply_keys(const stored_rows<int8<>>& keys, std::size_t count, working_set& w) {
  const std::size_t bytes = keys.from.cols;
  for (std::size_t j = 0; j < count; j += 2 * tile_rows) {
    const std::int8_t* const first = key_block(keys, j, count, w.keys[0]);
    const std::int8_t* const second = key_block(keys, j + tile_rows, count, w.keys[1]);
    finish_stores();
    _tile_zero(0);
    _tile_zero(1);
    for (std::size_t step = 0; step * tile_bytes < bytes; ++step) {
      _tile_loadd(2, w.queries[step], score_columns * 4);
      _tile_loadd(3, first + step * tile_bytes, bytes);
      _tile_dpbssd(0, 3, 2);
      _tile_loadd(4, second + step * tile_bytes, bytes);
      _tile_dpbssd(1, 4, 2);
    }
    _tile_stored(0, w.dots[j], score_columns * 4);
    _tile_stored(1, w.dots[j + tile_rows], score_columns * 4);
    finish_stores();
  }
}

/// Scales of rows [j, j + 16), 0 from `count` on.
CTLM_INLINE __m512 sixteen_scales(const stored_rows<int8<>>& rows, std::size_t j, std::size_t count) {
  if (const std::size_t end = j + 16; end <= count && (end <= rows.before || j >= rows.before))
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.from.scales + rows.row(j))));
  alignas(32) std::uint16_t scales[16]{};
  for (std::size_t i = j; i < smaller(j + 16, count); ++i) scales[i - j] = rows.from.scales[rows.row(i)];
  return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(scales)));
}

/// Puts the digits of dot products together and makes scores of them, a row for each head.
CTLM_INLINE void find_scores(const stored_rows<int8<>>& keys, std::size_t count, std::size_t heads, working_set& w) {
  const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (std::size_t j = 0; j < count; j += 16) {
    __m512i four[4];  // lane l: of key 4 i + l, all heads
    for (std::size_t i = 0; i < 4; ++i) {
      const __m512i a = _mm512_load_si512(w.dots[j + 4 * i]), b = _mm512_load_si512(w.dots[j + 4 * i + 2]);
      const __m512i high = _mm512_shuffle_i32x4(a, b, 0x88), low = _mm512_shuffle_i32x4(a, b, 0xDD);
      four[i] = _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
    }
    const __m512i x = _mm512_unpacklo_epi32(four[0], four[1]), y = _mm512_unpackhi_epi32(four[0], four[1]);
    const __m512i u = _mm512_unpacklo_epi32(four[2], four[3]), v = _mm512_unpackhi_epi32(four[2], four[3]);
    const __m512 scale = sixteen_scales(keys, j, count);
    auto put = [&](std::size_t head, __m512i dots) CTLM_LAMBDA_INLINE {
      if (head < heads)
        _mm512_store_ps(w.scores[head] + j, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_permutexvar_epi32(in_order, dots)),
                                                          _mm512_mul_ps(scale, _mm512_set1_ps(w.query_units[head]))));
    };
    put(0, _mm512_unpacklo_epi64(x, u));
    put(1, _mm512_unpackhi_epi64(x, u));
    put(2, _mm512_unpacklo_epi64(y, v));
    put(3, _mm512_unpackhi_epi64(y, v));
  }
}

/// Makes digits of a head's exponentials times scales, in the order of positions that pack_values() has.
CTLM_INLINE void take_weights(const __m512 (&x)[4], std::size_t head, working_set& w) {
  __m512i largest = _mm512_setzero_si512();
  for (const __m512& some : x) largest = higher_magnitude(largest, some);
  const integer_scale scale(largest, most_weight);
  w.weight_units[head] = scale.unit;
  // Digits of 0 to 255 are those of a number that is 128 (65536 + 256 + 1) larger, and have another highest bit.
  const __m512i shift = _mm512_set1_epi32(0x808080);
  const __m512i by_digit = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  __m512i digits[4];  // four lowest digits, four of the middle, four highest of four positions
  for (std::size_t v = 0; v < 4; ++v) {
    const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(x[v], _mm512_set1_ps(scale.inverse)));
    digits[v] = _mm512_shuffle_epi8(_mm512_xor_si512(_mm512_add_epi32(whole, shift), shift), by_digit);
  }
  const __m512i a = _mm512_unpacklo_epi32(digits[0], digits[1]), b = _mm512_unpacklo_epi32(digits[2], digits[3]);
  const __m512i c = _mm512_unpackhi_epi32(digits[0], digits[1]), d = _mm512_unpackhi_epi32(digits[2], digits[3]);
  _mm512_store_si512(w.weights[head * weight_digits], _mm512_unpacklo_epi64(a, b));
  _mm512_store_si512(w.weights[head * weight_digits + 1], _mm512_unpackhi_epi64(a, b));
  _mm512_store_si512(w.weights[head * weight_digits + 2], _mm512_unpacklo_epi64(c, d));
}

/// Takes in the scores of one head: see absorb_row().
CTLM_INLINE void absorb_scores(std::size_t head, std::size_t count, float factor, const __m512 (&value_scales)[4],
                               std::size_t columns, working_set& w) {
  const std::uint64_t seen = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  __m512 x[4];
  for (std::size_t v = 0; v < 4; ++v)
    x[v] = _mm512_mask_loadu_ps(_mm512_set1_ps(-std::numeric_limits<float>::infinity()),
                                static_cast<__mmask16>(seen >> (16 * v)), w.scores[head] + 16 * v);
  const float highest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(x[0], x[1]), _mm512_max_ps(x[2], x[3])));
  __m512 total = _mm512_load_ps(w.totals[head]);
  if (highest > w.peaks[head]) {
    const __m512 shrink = block_detail::powers_of_two(0xFFFF, _mm512_set1_ps((w.peaks[head] - highest) * factor));
    total = _mm512_mul_ps(total, shrink);
    for (std::size_t i = 0; i < columns; i += 16)
      _mm512_store_ps(w.out[head] + i, _mm512_mul_ps(_mm512_load_ps(w.out[head] + i), shrink));
    w.peaks[head] = highest;
  }
  const __m512 scale = _mm512_set1_ps(factor), peak = _mm512_set1_ps(w.peaks[head]);
  for (std::size_t v = 0; v < 4; ++v) {
    const __m512 below = _mm512_mul_ps(_mm512_sub_ps(x[v], peak), scale);  // so the highest has a power of exactly 0
    x[v] = block_detail::powers_of_two(static_cast<__mmask16>(seen >> (16 * v)), below);
    total = _mm512_add_ps(total, x[v]);
    x[v] = _mm512_mul_ps(x[v], value_scales[v]);
  }
  _mm512_store_ps(w.totals[head], total);
  take_weights(x, head, w);
}

/// Puts 64 numbers of each row of values where tiles have them, four positions side by side, and asks for what the next
/// positions have there. Column 16 l + 4 t + i is column 4 l + i of tile t.
CTLM_INLINE void pack_values(const stored_tile<int8<>, int8<>>& rows, std::size_t count, std::size_t column,
                             working_set& w) {
  alignas(64) static constexpr std::int8_t zeros[tile_bytes]{};
  const std::size_t bytes = rows.values.from.cols;
  const std::size_t next_key = (rows.keys.first + key_tile) * bytes + column;
  auto load = [&](std::size_t j) CTLM_LAMBDA_INLINE {
    const std::int8_t* const from = j < count ? rows.values.from.codes + rows.values.row(j) * bytes + column : zeros;
    CTLM_PREFETCH_READ(from + key_tile * bytes);
    CTLM_PREFETCH_READ(rows.keys.from.codes + next_key + j * bytes);
    return _mm512_loadu_si512(from);
  };
  for (std::size_t g = 0; g < tile_rows; ++g) {
    const __m512i p = load(4 * g), q = load(4 * g + 1), r = load(4 * g + 2), s = load(4 * g + 3);
    const __m512i a = _mm512_unpacklo_epi8(p, q), b = _mm512_unpacklo_epi8(r, s);
    const __m512i c = _mm512_unpackhi_epi8(p, q), d = _mm512_unpackhi_epi8(r, s);
    const std::size_t row = g % 4 * 4 + g / 4;  // as take_weights() leaves them
    _mm512_store_si512(w.values[0][row], _mm512_unpacklo_epi16(a, b));
    _mm512_store_si512(w.values[1][row], _mm512_unpackhi_epi16(a, b));
    _mm512_store_si512(w.values[2][row], _mm512_unpacklo_epi16(c, d));
    _mm512_store_si512(w.values[3][row], _mm512_unpackhi_epi16(c, d));
  }
}

/// Adds digits times 64 columns of values to what heads have so far.
CTLM_INLINE void add_values(std::size_t heads, std::size_t column, working_set& w) {
  finish_stores();
  _tile_loadd(5, w.weights, tile_bytes);
  _tile_loadd(3, w.values[0], tile_bytes);
  _tile_zero(6);
  _tile_dpbssd(6, 5, 3);
  _tile_loadd(4, w.values[1], tile_bytes);
  _tile_zero(7);
  _tile_dpbssd(7, 5, 4);
  _tile_stored(6, w.sums[0], tile_bytes);
  _tile_loadd(3, w.values[2], tile_bytes);
  _tile_zero(6);
  _tile_dpbssd(6, 5, 3);
  _tile_stored(7, w.sums[1], tile_bytes);
  _tile_loadd(4, w.values[3], tile_bytes);
  _tile_zero(7);
  _tile_dpbssd(7, 5, 4);
  _tile_stored(6, w.sums[2], tile_bytes);
  _tile_stored(7, w.sums[3], tile_bytes);
  finish_stores();
  for (std::size_t head = 0; head < heads; ++head) {
    const __m512 unit = _mm512_set1_ps(w.weight_units[head]), high_unit = _mm512_mul_ps(unit, _mm512_set1_ps(65536));
    for (std::size_t t = 0; t < 4; ++t) {
      const auto* const sums = w.sums[t] + head * weight_digits;
      const __m512i low = _mm512_load_si512(sums[0]), middle = _mm512_load_si512(sums[1]);
      const __m512 high = _mm512_cvtepi32_ps(_mm512_load_si512(sums[2]));
      const __m512 lower = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(middle, 8), low));
      float* const to = w.out[head] + column + 16 * t;
      _mm512_store_ps(to, _mm512_fmadd_ps(high, high_unit, _mm512_fmadd_ps(lower, unit, _mm512_load_ps(to))));
    }
  }
}

/// The columns of a head in their order.
CTLM_INLINE void put_columns(const float* from, std::size_t columns, float* to) {
  for (std::size_t c = 0; c < columns; c += tile_bytes)
    for (std::size_t t = 0; t < 4; ++t)
      for (std::size_t l = 0; l < 4; ++l)
        __builtin_memcpy(to + c + 16 * l + 4 * t, from + c + 16 * t + 4 * l, 4 * sizeof(float));
}

/// What up to four heads find.
template <class Backend, class Rules, class Tiles>
void absorb_heads(Backend backend, std::size_t columns, float scale, const query_rows<float, Rules>& queries,
                  std::size_t first_head, std::size_t heads, std::size_t begin, std::size_t end, const Tiles& tiles_of,
                  float* out, std::size_t out_stride, attention_workspace<float>& ws) {
  working_set w;
  __builtin_memset(w.queries, 0, sizeof w.queries[0] * (columns / tile_bytes));
  __builtin_memset(w.weights, 0, sizeof w.weights);
  for (std::size_t h = 0; h < heads; ++h) {
    take_query(queries.q.data + (first_head + h) * queries.q.row, h, columns, w);
    w.peaks[h] = -std::numeric_limits<float>::infinity();
    clear(16, w.totals[h]);
    clear(columns, w.out[h]);
  }
  const float factor = scale * 1.44269504f;  // e^x is 2^(x / log(2))
  const tile_registers held(sizes_of_tiles);
  for (std::size_t first = begin; first < end; first += key_tile) {
    const std::size_t count = smaller(key_tile, end - first);
    const stored_tile<int8<>, int8<>> rows = tiles_of(first, count);
    multiply_keys(rows.keys, count, w);
    find_scores(rows.keys, count, heads, w);
    __m512 value_scales[4];
    for (std::size_t v = 0; v < 4; ++v) value_scales[v] = sixteen_scales(rows.values, 16 * v, count);
    for (std::size_t h = 0; h < heads; ++h) {
      apply_rules(backend, queries.rules, count, scale, w.scores[h]);
      absorb_scores(h, count, factor, value_scales, columns, w);
    }
    for (std::size_t c = 0; c < columns; c += tile_bytes) {
      pack_values(rows, count, c, w);
      add_values(heads, c, w);
    }
  }
  for (std::size_t h = 0; h < heads; ++h) {
    put_columns(w.out[h], columns, out + (first_head + h) * out_stride);
    ws.peak[first_head + h] = w.peaks[h];
    ws.total[first_head + h] = _mm512_reduce_add_ps(_mm512_load_ps(w.totals[h]));
  }
}

}  // namespace stored_tiles_detail

/// What absorb_keys() does for rows that all see [begin, end). False, and nothing done, if a row of keys is not whole
/// tiles wide, or this process may not use tiles.
template <class A, class Rules, class Tiles>
CTLM_NOINLINE bool absorb_stored_keys(simd<A> backend, std::size_t head_dim, float scale,
                                      const query_rows<float, Rules>& queries, std::size_t begin, std::size_t end,
                                      const Tiles& tiles, float* out, std::size_t out_stride,
                                      attention_workspace<float>& ws) {
  using namespace stored_tiles_detail;
  if (head_dim % tile_bytes != 0 || head_dim > most_steps * tile_bytes || !may_use_tiles()) return false;
  for (std::size_t h = 0; h < queries.rows; h += most_heads)
    absorb_heads(backend, head_dim, scale, queries, h, smaller(most_heads, queries.rows - h), begin, end, tiles, out,
                 out_stride, ws);
  return true;
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
