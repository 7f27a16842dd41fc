// SPDX-License-Identifier: MIT
// ctlm: sixteen interleaved rows of integer weights to single precision: a tile of 32 columns at a time, whose codes
// are first put in the order of the rows.
#pragma once

#include "../../format/interleaved.hpp"
#include "decode_codes.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

namespace decode_rows_detail {

/// Adds one part of a tile's codes, of Bits bits each, to codes [stripe_rows][code_chunk], at bit `at` of each.
template <std::size_t Bits, std::size_t At>
CTLM_INLINE void take_part(const std::uint8_t* from, std::uint32_t (*codes)[code_chunk / quad]) {
  constexpr std::size_t planes = 8 / Bits, vectors = code_chunk / quad / planes;
  constexpr std::uint32_t mask = ((1u << Bits) - 1) * 0x01010101u;
  for (std::size_t v = 0; v < vectors; ++v) {
    std::uint32_t quads[stripe_rows];
    __builtin_memcpy(quads, from + v * sizeof quads, sizeof quads);
    for (std::size_t p = 0; p < planes; ++p)
      for (std::size_t r = 0; r < stripe_rows; ++r) {
        const std::uint32_t part = (quads[r] >> (p * Bits)) & mask;
        std::uint32_t& to = codes[r][p * vectors + v];
        to = At == 0 ? part : to | part << At;
      }
  }
}

/// The numbers of one row of a tile, to[0..code_chunk).
template <class F, class Backend>
CTLM_INLINE void decode_row_of_tile(Backend backend, const std::uint32_t* codes, float scale, float base, float* to) {
  using code = std::conditional_t<F::offset == 0, std::uint8_t, std::int8_t>;
  for (std::size_t i = 0; i < code_chunk; i += codes_at_once) {
    plain_vector<std::uint8_t, codes_at_once> v;
    __builtin_memcpy(&v, codes + i / quad, sizeof v);
    if constexpr (F::offset != 0) v ^= 0x80;  // codes are stored with 128 added
    decode_codes<code>(backend, std::bit_cast<plain_vector<code, codes_at_once>>(v), scale, base, to + i);
  }
}

/// The first `columns` numbers, whole tiles, of all rows of a stripe; `size` of them are a group.
template <class F, class Backend, class View>
void decode_stripe(Backend backend, const View& m, std::size_t row, std::size_t columns, std::size_t size, float* to) {
  static_assert(F::offset == 0 || F::bits == 8);
  const std::size_t stripe = F::scale_index(m, row, 0) / stripe_rows / F::groups(m.cols);
  const std::uint8_t* tile = m.codes + stripe * F::stripe_bytes(m.cols);
  float scales[stripe_rows], bases[stripe_rows];
  for (std::size_t i = 0; i < columns; i += code_chunk, tile += F::tile_bytes) {
    if (i % size == 0)
      for (std::size_t r = 0; r < stripe_rows; ++r) {
        const std::size_t g = F::scale_index(m, row + r, i / size);
        scales[r] = F::scale_format::scale(m.scales[g]);
        bases[r] = F::base_of(m, g, scales[r]);
      }
    std::uint32_t codes[stripe_rows][code_chunk / quad];
    take_part<F::low_bits, 0>(tile, codes);
    if constexpr (F::high_bits > 0) take_part<F::high_bits, F::low_bits>(tile + F::low_bytes, codes);
    for (std::size_t r = 0; r < stripe_rows; ++r)
      decode_row_of_tile<F>(backend, codes[r], scales[r], bases[r], to + r * m.cols + i);
  }
}

}  // namespace decode_rows_detail

template <class A, class F>
void decode_rows(simd<A> backend, interleaved<F> f, const matrix<const interleaved<F>>& m, std::size_t first,
                 std::size_t rows, float* dst) {
  using namespace decode_rows_detail;
  using format = interleaved<F>;
  const std::size_t size = format::group_size(m.cols);
  const std::size_t whole = size % code_chunk == 0 || size >= m.cols ? m.cols / code_chunk * code_chunk : 0;
  for (std::size_t row = first; row < first + rows;) {
    const std::size_t in_matrix = row % m.period;
    float* const to = dst + (row - first) * m.cols;
    if (whole == 0 || in_matrix % stripe_rows != 0 || row + stripe_rows > first + rows ||
        in_matrix + stripe_rows > m.period) {
      decode_row(backend, f, m, row++, to);
      continue;
    }
    decode_stripe<format>(backend, m, row, whole, size, to);
    if (whole < m.cols)
      for (std::size_t r = 0; r < stripe_rows; ++r)
        format::decode(m, row + r, whole, m.cols - whole, to + r * m.cols + whole);
    row += stripe_rows;
  }
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
