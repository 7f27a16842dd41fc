// SPDX-License-Identifier: MIT
// ctlm: few rows as integers of 16 bits, whose error is a 65534th of their largest number: nothing beside that of
// stored codes of 8 or 4 bits. One instruction makes two products and a sum of such numbers. What is summed up is
// exact, whatever the processor: at most 256 * 127 * 32767, which 32 bits hold.
#pragma once

#include "../keep_order.hpp"
#include "../stored_rows.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI { namespace stored_detail {

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

/// Rows of q, of a multiple of 16 numbers each, in integers of 16 bits: row[i] = scale * words[i].
template <std::size_t Rows>
struct word_rows {
  alignas(64) std::int16_t numbers[Rows][most_stored_columns];
  float scales[Rows];

  CTLM_INLINE word_rows(std::size_t k, const float* q, std::size_t stride) {
    for (std::size_t i = 0; i < Rows; ++i) {
      const float* const x = q + i * stride;
      const std::uint32_t largest = largest_of(k, x);
      const auto extreme = std::bit_cast<float>(largest);
      const bool finite = largest < math::infinite_bits<float>;
      const __m256 inverse = _mm256_set1_ps(finite && extreme > 0x1p-100f ? 32767.0f / extreme : 0.0f);
      scales[i] = finite ? extreme / 32767.0f : std::numeric_limits<float>::quiet_NaN();  // which all sums become
      for (std::size_t j = 0; j < k; j += 16) {
        const __m256i both = _mm256_packs_epi32(rounded(x + j, inverse), rounded(x + j + 8, inverse));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(numbers[i] + j), _mm256_permute4x64_epi64(both, 0xD8));
      }
    }
  }

 private:
  /// The largest magnitude, as bits.
  CTLM_INLINE static std::uint32_t largest_of(std::size_t k, const float* x) {
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i largest = _mm256_setzero_si256();
    for (std::size_t j = 0; j < k; j += 8)
      largest = _mm256_max_epu32(
          largest, _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + j)), magnitude));
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4E));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(four, _mm_shuffle_epi32(four, 0xB1))));
  }
  /// Eight numbers times `inverse`, rounded to the nearest integer, halves away from zero.
  CTLM_INLINE static __m256i rounded(const float* x, __m256 inverse) {
    const __m256 exact = _mm256_mul_ps(_mm256_loadu_ps(x), inverse), sign = _mm256_set1_ps(-0.0f);
    const __m256 half = _mm256_or_ps(_mm256_and_ps(exact, sign), _mm256_set1_ps(0.5f));
    return _mm256_cvttps_epi32(_mm256_add_ps(exact, half));
  }
};

}  // namespace stored_detail

}}  // namespace ctlm
CTLM_INTRINSICS_END
