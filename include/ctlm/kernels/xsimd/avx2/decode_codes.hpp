// SPDX-License-Identifier: MIT
// ctlm: sixteen codes to single precision with the instruction that these processors have for it: for eight numbers
// four instructions, where GCC 12 makes six of the general code for four.
#pragma once

#include "../decode_codes.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Whether a vector's codes have signs.
template <class Codes>
inline constexpr bool signed_codes = std::is_signed_v<std::remove_cvref_t<decltype(std::declval<Codes>()[0])>>;

template <class Code, class A>
requires(lanes<float, A> == 8) CTLM_INLINE
    void decode_codes(simd<A>, const plain_vector<Code, codes_at_once>& v, float scale, float base, float* dst) {
  const auto bytes = std::bit_cast<__m128i>(v);
  for (std::size_t i = 0; i < 2; ++i) {
    const __m128i eight = i == 0 ? bytes : _mm_unpackhi_epi64(bytes, bytes);
    const __m256i wide = std::is_signed_v<Code> ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight);
    const __m256 numbers = _mm256_mul_ps(_mm256_cvtepi32_ps(wide), _mm256_set1_ps(scale));
    _mm256_storeu_ps(dst + 8 * i, _mm256_add_ps(numbers, _mm256_set1_ps(base)));
  }
}

template <std::size_t Lanes, class A, class Codes>
requires(Lanes == 8) CTLM_INLINE plain_vector<float, 8> widened_codes(simd<A>, const Codes& v) {
  const __m128i bytes = _mm_cvtsi64_si128(std::bit_cast<long long>(v));
  const __m256i wide = signed_codes<Codes> ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
  return std::bit_cast<plain_vector<float, 8>>(_mm256_cvtepi32_ps(wide));
}

#if CTLM_AVX512
template <std::size_t Lanes, class A, class Codes>
requires(Lanes == 16) CTLM_INLINE plain_vector<float, 16> widened_codes(simd<A>, const Codes& v) {
  const auto bytes = std::bit_cast<__m128i>(v);
  const __m512i wide = signed_codes<Codes> ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
  return std::bit_cast<plain_vector<float, 16>>(_mm512_cvtepi32_ps(wide));
}
template <class Code, class A>
requires(lanes<float, A> == 16) CTLM_INLINE
    void decode_codes(simd<A>, const plain_vector<Code, codes_at_once>& v, float scale, float base, float* dst) {
  const auto bytes = std::bit_cast<__m128i>(v);
  const __m512i wide = std::is_signed_v<Code> ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
  const __m512 numbers = _mm512_mul_ps(_mm512_cvtepi32_ps(wide), _mm512_set1_ps(scale));
  _mm512_storeu_ps(dst, _mm512_add_ps(numbers, _mm512_set1_ps(base)));
}
#endif

}}  // namespace ctlm
CTLM_INTRINSICS_END
