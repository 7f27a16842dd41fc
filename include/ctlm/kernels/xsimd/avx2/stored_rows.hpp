// SPDX-License-Identifier: MIT
// ctlm: few rows times rows of 8-bit codes as integers: two products and a sum of 16-bit numbers in one instruction.
// The few rows become integers of 16 bits, whose error is a 65534th of their largest number: nothing beside that of
// 8-bit codes. What is summed up is exact, whatever the processor: at most 256 * 127 * 32767, which 32 bits hold.
#pragma once

#include "../stored_rows.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

namespace stored_detail {

#if CTLM_AVX512
using words = __m512i;
CTLM_INLINE words load_words(const std::int16_t* from) { return _mm512_loadu_si512(from); }
/// Codes of 8 bits as words.
CTLM_INLINE words codes_as_words(const std::int8_t* from) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
CTLM_INLINE words add_word_products(words sum, words a, words b) {
#if CTLM_AVX512VNNI
  return _mm512_dpwssd_epi32(sum, a, b);
#else
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
}
#else
using words = __m256i;
CTLM_INLINE words load_words(const std::int16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
CTLM_INLINE words codes_as_words(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
CTLM_INLINE words add_word_products(words sum, words a, words b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#endif

/// Rows of q in integers of 16 bits: row[i] = scale * words[i].
template <std::size_t Rows>
struct word_rows {
  alignas(64) std::int16_t numbers[Rows][most_stored_columns];
  float scales[Rows];

  word_rows(std::size_t k, const float* q, std::size_t stride) {
    for (std::size_t i = 0; i < Rows; ++i) {
      const float* const x = q + i * stride;
      const std::uint32_t largest = math::largest_magnitude(k, x);
      const auto extreme = std::bit_cast<float>(largest);
      const bool finite = largest < math::infinite_bits<float>;
      const float inverse = finite && extreme > 0x1p-100f ? 32767.0f / extreme : 0.0f;
      scales[i] = finite ? extreme / 32767.0f : std::numeric_limits<float>::quiet_NaN();
      for (std::size_t j = 0; j < k; ++j)
        numbers[i][j] = static_cast<std::int16_t>(finite ? math::round_to_int(x[j] * inverse) : 0);
    }
  }
};

/// The exact sums of products of Rows rows with rows [j, j + Columns) of codes.
template <std::size_t Rows, std::size_t Columns, class A, class F, std::size_t... S>
CTLM_INLINE void word_dots(std::index_sequence<S...>, std::size_t k, const word_rows<Rows>& q,
                           const row_reader<A, F>& keys, std::size_t j, std::int32_t (*c)[most_stored_rows]) {
  words total[] = {(static_cast<void>(S), words{})...};
  const std::int8_t* key[Columns];
  for (std::size_t n = 0; n < Columns; ++n) {
    key[n] = keys.at(j + n).row;
    look_ahead(keys, j + n, k);
  }
  for (std::size_t p = 0; p < k; p += sizeof(words) / 2) {
    words x[Rows];
    for (std::size_t i = 0; i < Rows; ++i) x[i] = load_words(q.numbers[i] + p);
    for (std::size_t n = 0; n < Columns; ++n) {
      const words y = codes_as_words(key[n] + p);
      for (std::size_t i = 0; i < Rows; ++i)
        total[i * Columns + n] = add_word_products(total[i * Columns + n], x[i], y);
    }
  }
  using V = simd_batch<std::int32_t, A>;
  static_assert(sizeof(V) == sizeof(words));
  std::int32_t sums[ceil_div(Rows * Columns, 4) * 4];
  auto add_up = [&](std::size_t s) CTLM_LAMBDA_INLINE {
    constexpr std::size_t last = Rows * Columns - 1;
    if (s % 4 == 0)
      four_sums<std::int32_t, A>(std::bit_cast<V>(total[s]), std::bit_cast<V>(total[smaller(s + 1, last)]),
                                 std::bit_cast<V>(total[smaller(s + 2, last)]),
                                 std::bit_cast<V>(total[smaller(s + 3, last)]), sums + s);
  };
  (add_up(S), ...);
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t n = 0; n < Columns; ++n) c[i][j + n] = sums[i * Columns + n];
}

}  // namespace stored_detail

/// c[i][j] = q[i] . row j for rows of codes with one scale each.
template <class A>
requires(sizeof(simd_batch<float, A>) ==
         sizeof(stored_detail::words)) void stored_products(simd<A>, std::size_t m, std::size_t count, std::size_t k,
                                                            const float* q, std::size_t q_stride,
                                                            const stored_rows<int8<>>& rows, float* c,
                                                            std::size_t ldc) {
  using namespace stored_detail;
  const row_reader<A, int8<>> keys(rows, count);
  four_rows_at_once(m, [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t i) {
    const word_rows<Rows> few(k, q + i * q_stride, q_stride);
    std::int32_t sums[Rows][most_stored_rows];
    std::size_t j = 0;
    for (; j + 4 <= count; j += 4) word_dots<Rows, 4, A>(std::make_index_sequence<Rows * 4>{}, k, few, keys, j, sums);
    for (; j < count; ++j) word_dots<Rows, 1, A>(std::make_index_sequence<Rows>{}, k, few, keys, j, sums);
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t n = 0; n < count; ++n)
        c[(i + r) * ldc + n] = static_cast<float>(sums[r][n]) * (few.scales[r] * keys.scales.scales[n]);
  });
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
