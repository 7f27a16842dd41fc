// SPDX-License-Identifier: MIT
// ctlm: registers of the numbers that arithmetic uses, from memory where they may be stored in 16 bits.
#pragma once

#include "../../format/float16.hpp"
#include "shuffle.hpp"

namespace ctlm::inline CTLM_ABI {

/// As many stored numbers: their bits, where they are none to the processor.
template <class S, std::size_t Lanes>
using stored_vector = plain_vector<std::conditional_t<sizeof(S) == 2, std::uint16_t, S>, Lanes>;

template <std::size_t Lanes>
CTLM_INLINE plain_vector<std::uint32_t, Lanes> wide_bits(const plain_vector<std::uint16_t, Lanes>& v) {
  using bits = plain_vector<std::uint32_t, Lanes>;
#if CTLM_AVX2  // one instruction each, of which GCC makes four
  if constexpr (Lanes == 8) return std::bit_cast<bits>(_mm256_cvtepu16_epi32(std::bit_cast<__m128i>(v)));
#endif
#if CTLM_AVX512
  if constexpr (Lanes == 16) return std::bit_cast<bits>(_mm512_cvtepu16_epi32(std::bit_cast<__m256i>(v)));
#endif
  return __builtin_convertvector(v, bits);
}
template <std::size_t Lanes>
CTLM_INLINE plain_vector<float, Lanes> widened_bfloat(const plain_vector<std::uint16_t, Lanes>& v) {
  return std::bit_cast<plain_vector<float, Lanes>>(wide_bits<Lanes>(v) << 16);
}
template <std::size_t Lanes>
CTLM_INLINE plain_vector<float, Lanes> widened_half(const plain_vector<std::uint16_t, Lanes>& v) {
  using numbers = plain_vector<float, Lanes>;
  using bits = plain_vector<std::uint32_t, Lanes>;
#if CTLM_F16C
  if constexpr (Lanes == 8) return std::bit_cast<numbers>(_mm256_cvtph_ps(std::bit_cast<__m128i>(v)));
#if CTLM_AVX512
  if constexpr (Lanes == 16) return std::bit_cast<numbers>(_mm512_cvtph_ps(std::bit_cast<__m256i>(v)));
#endif
#endif
  // The exponent is made the wider number's by a product, which also makes subnormal numbers normal.
  const bits wide = wide_bits<Lanes>(v);
  const numbers magnitude = std::bit_cast<numbers>((wide & 0x7FFF) << 13) * 0x1p112f;
  const bits beyond = std::bit_cast<bits>(magnitude >= 0x1p16f) & 0x7F800000;  // infinity or NaN
  return std::bit_cast<numbers>(std::bit_cast<bits>(magnitude) | beyond | (wide & 0x8000) << 16);
}

template <class T, class S, std::size_t Lanes>
CTLM_INLINE plain_vector<T, Lanes> widened(const stored_vector<S, Lanes>& v) {
  if constexpr (std::same_as<S, bfloat>)
    return widened_bfloat<Lanes>(v);
  else if constexpr (std::same_as<S, half>)
    return widened_half<Lanes>(v);
  else
    return v;
}

/// A register of T from consecutive stored numbers.
template <class T, class A, class S>
CTLM_INLINE simd_batch<T, A> load_as(const S* from) {
  if constexpr (std::same_as<S, T>) {
    return simd_batch<T, A>::load_unaligned(from);
  } else {
    stored_vector<S, lanes<T, A>> v;
    __builtin_memcpy(&v, from, sizeof v);
    return std::bit_cast<simd_batch<T, A>>(widened<T, S, lanes<T, A>>(v));
  }
}

}  // namespace ctlm::inline CTLM_ABI
