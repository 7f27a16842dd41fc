// SPDX-License-Identifier: MIT
// ctlm: rows of 8-bit and 4-bit integers to single precision, sixteen numbers at a time: what a KV cache in integers
// reads for every token. The numbers are the portable code's: a code times a scale has few enough bits to be exact, so
// that it does not matter whether the product is rounded before the minimum is added.
#pragma once

#include "../../format/int4.hpp"
#include "../../format/int8.hpp"
#include "../portable/decode.hpp"
#include "shuffle.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Codes that are decoded together: those of a plane of int4.
inline constexpr std::size_t codes_at_once = 16;

/// dst[i] = scale * code i + base, for any processor: a loop of a known length becomes vectors. avx2/widen.hpp has
/// another, where GCC uses half a register.
template <class Code>
CTLM_INLINE void decode_codes(portable, const plain_vector<Code, codes_at_once>& v, float scale, float base,
                              float* dst) {
  Code codes[codes_at_once];
  __builtin_memcpy(codes, &v, sizeof codes);
  for (std::size_t i = 0; i < codes_at_once; ++i) dst[i] = static_cast<float>(codes[i]) * scale + base;
}

/// Numbers in single precision from codes, for any processor; avx2/decode_codes.hpp replaces it.
template <std::size_t Lanes, class Codes>
CTLM_INLINE plain_vector<float, Lanes> widened_codes(portable, const Codes& v) {
  return __builtin_convertvector(v, plain_vector<float, Lanes>);
}

/// Decodes a row; chunk(bytes, scale, base, dst) decodes 32 numbers of one group. What is left at the end of a row, and
/// rows whose groups end within chunks, are the portable code's.
template <class F, class Chunk>
CTLM_INLINE void decode_chunks(F, const matrix<const F>& m, std::size_t row, float* dst, Chunk&& chunk) {
  const std::size_t size = F::group_size(m.cols);
  const std::size_t whole = size % code_chunk == 0 || size >= m.cols ? m.cols / code_chunk * code_chunk : 0;
  const auto* codes = m.codes + row * F::row_codes(m.cols);
  for (std::size_t i = 0; i < whole;) {
    const std::size_t g = F::scale_index(m, row, i / size), end = smaller((i / size + 1) * size, whole);
    const float scale = half_to_float(m.scales[g]);
    const float base = F::has_min ? half_to_float(m.minima[g]) : -F::zero * scale;
    for (; i < end; i += code_chunk, codes += F::row_codes(code_chunk)) chunk(codes, scale, base, dst + i);
  }
  F::decode(m, row, whole, m.cols - whole, dst + whole);
}

template <class A, std::size_t Group, range Range>
void decode_row(simd<A> backend, int8<Group, Range> f, const matrix<const int8<Group, Range>>& m, std::size_t row,
                float* dst) {
  using bytes = plain_vector<std::int8_t, codes_at_once>;
  decode_chunks(f, m, row, dst, [=](const std::int8_t* codes, float scale, float base, float* to) {
    for (std::size_t i = 0; i < code_chunk; i += codes_at_once) {
      bytes v;
      __builtin_memcpy(&v, codes + i, sizeof v);
      decode_codes<std::int8_t>(backend, v, scale, base, to + i);
    }
  });
}

template <class A, std::size_t Group, range Range>
void decode_row(simd<A> backend, int4<Group, Range> f, const matrix<const int4<Group, Range>>& m, std::size_t row,
                float* dst) {
  using bytes = plain_vector<std::uint8_t, codes_at_once>;
  decode_chunks(f, m, row, dst, [=](const std::uint8_t* codes, float scale, float base, float* to) {
    bytes v;
    __builtin_memcpy(&v, codes, sizeof v);
    decode_codes<std::uint8_t>(backend, v & 15, scale, base, to);
    decode_codes<std::uint8_t>(backend, v >> 4, scale, base, to + codes_at_once);
  });
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
