// SPDX-License-Identifier: MIT
// ctlm: widens 16-bit numbers, and rounds to them, with the one or two instructions that these processors have for it,
// where GCC turns the general code into four.
#pragma once

#include "../widen.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

template <std::size_t Lanes, class A, class Bits>
requires(Lanes == 8) CTLM_INLINE plain_vector<float, 8> widened_bfloat(simd<A>, const Bits& v) {
  const __m256i wide = _mm256_cvtepu16_epi32(std::bit_cast<__m128i>(v));
  return std::bit_cast<plain_vector<float, 8>>(_mm256_slli_epi32(wide, 16));
}
#if CTLM_F16C
template <std::size_t Lanes, class A, class Bits>
requires(Lanes == 8) CTLM_INLINE plain_vector<float, 8> widened_half(simd<A>, const Bits& v) {
  return std::bit_cast<plain_vector<float, 8>>(_mm256_cvtph_ps(std::bit_cast<__m128i>(v)));
}
template <std::size_t Lanes, class A>
requires(Lanes == 8) CTLM_INLINE plain_vector<std::uint16_t, 8> rounded_half(simd<A>, const plain_vector<float, 8>& v) {
  return std::bit_cast<plain_vector<std::uint16_t, 8>>(
      _mm256_cvtps_ph(std::bit_cast<__m256>(v), _MM_FROUND_TO_NEAREST_INT));
}
#endif

#if CTLM_AVX512
template <std::size_t Lanes, class A, class Bits>
requires(Lanes == 16) CTLM_INLINE plain_vector<float, 16> widened_bfloat(simd<A>, const Bits& v) {
  const __m512i wide = _mm512_cvtepu16_epi32(std::bit_cast<__m256i>(v));
  return std::bit_cast<plain_vector<float, 16>>(_mm512_slli_epi32(wide, 16));
}
template <std::size_t Lanes, class A, class Bits>
requires(Lanes == 16) CTLM_INLINE plain_vector<float, 16> widened_half(simd<A>, const Bits& v) {
  return std::bit_cast<plain_vector<float, 16>>(_mm512_cvtph_ps(std::bit_cast<__m256i>(v)));
}
template <std::size_t Lanes, class A>
requires(Lanes == 16) CTLM_INLINE plain_vector<std::uint16_t, 16> rounded_half(simd<A>,
                                                                               const plain_vector<float, 16>& v) {
  return std::bit_cast<plain_vector<std::uint16_t, 16>>(
      _mm512_cvtps_ph(std::bit_cast<__m512>(v), _MM_FROUND_TO_NEAREST_INT));
}
#endif

}}  // namespace ctlm
CTLM_INTRINSICS_END
