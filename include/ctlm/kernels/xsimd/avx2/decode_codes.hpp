// SPDX-License-Identifier: MIT
// ctlm: sixteen codes to single precision with the instruction that these processors have for it: for eight numbers
// four instructions, where GCC 12 makes six of the general code for four.
#pragma once

#include "../decode_codes.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

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

#if CTLM_AVX512
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
