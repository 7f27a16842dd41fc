// SPDX-License-Identifier: MIT
// ctlm: registers of the numbers that arithmetic uses, from memory where they may be stored in 16 bits.
#pragma once

#include "../../format/float16.hpp"
#include "shuffle.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// As many stored numbers: their bits, where they are none to the processor.
template <class S, std::size_t Lanes>
using stored_vector = plain_vector<std::conditional_t<sizeof(S) == 2, std::uint16_t, S>, Lanes>;

/// Numbers in single precision from the bits of 16-bit ones, for any processor; avx2/widen.hpp replaces them.
template <std::size_t Lanes, class Bits>
CTLM_INLINE plain_vector<float, Lanes> widened_bfloat(portable, const Bits& v) {
  return std::bit_cast<plain_vector<float, Lanes>>(__builtin_convertvector(v, plain_vector<std::uint32_t, Lanes>)
                                                   << 16);
}
/// The exponent is made the wider number's by a product, which also makes subnormal numbers normal.
template <std::size_t Lanes, class Bits>
CTLM_INLINE plain_vector<float, Lanes> widened_half(portable, const Bits& v) {
  using numbers = plain_vector<float, Lanes>;
  using bits = plain_vector<std::uint32_t, Lanes>;
  const bits wide = __builtin_convertvector(v, bits);
  const numbers magnitude = std::bit_cast<numbers>((wide & 0x7FFF) << 13) * 0x1p112f;
  const bits beyond = std::bit_cast<bits>(magnitude >= 0x1p16f) & 0x7F800000;  // infinity or NaN
  return std::bit_cast<numbers>(std::bit_cast<bits>(magnitude) | beyond | (wide & 0x8000) << 16);
}

/// Numbers that registers widen. Those of formats from elsewhere are converted one by one.
template <class S, class T>
inline constexpr bool widens_in_registers = std::same_as<S, T> || std::same_as<S, bfloat> || std::same_as<S, half>;

template <class T, class A, class S>
CTLM_INLINE plain_vector<T, lanes<T, A>> widened(const stored_vector<S, lanes<T, A>>& v) {
  if constexpr (std::same_as<S, bfloat>)
    return widened_bfloat<lanes<T, A>>(simd<A>{}, v);
  else if constexpr (std::same_as<S, half>)
    return widened_half<lanes<T, A>>(simd<A>{}, v);
  else
    return v;
}

/// A register of T from consecutive stored numbers.
template <class T, class A, class S>
CTLM_INLINE simd_batch<T, A> load_as(const S* from) {
  if constexpr (std::same_as<S, T>) {
    return simd_batch<T, A>::load_unaligned(from);
  } else if constexpr (!widens_in_registers<S, T>) {
    alignas(64) T numbers[lanes<T, A>];
    for (std::size_t i = 0; i < lanes<T, A>; ++i) numbers[i] = from[i];
    return simd_batch<T, A>::load_aligned(numbers);
  } else {
    stored_vector<S, lanes<T, A>> v;
    __builtin_memcpy(&v, from, sizeof v);
    return std::bit_cast<simd_batch<T, A>>(widened<T, A, S>(v));
  }
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
