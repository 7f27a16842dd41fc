// SPDX-License-Identifier: MIT
// ctlm: loads a register of numbers that arithmetic can use from memory, where they may be stored in 16 or 8 bits.
#pragma once

#include "../../format/float8.hpp"
#include "../portable/rounded.hpp"
#include "shuffle.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// `Lanes` numbers as they are stored: those of 16 and 8 bits as integers with their bits, as no arithmetic is done on
/// them.
template <class S>
struct stored_bits {
  using type = std::conditional_t<sizeof(S) == 1, std::uint8_t, std::conditional_t<sizeof(S) == 2, std::uint16_t, S>>;
};
template <class F, class S>
struct stored_bits<rounded_number<F, S>> : stored_bits<S> {};
template <class S, std::size_t Lanes>
using stored_vector = plain_vector<typename stored_bits<S>::type, Lanes>;

/// Numbers in single precision from the bits of 16-bit ones, for any processor; avx2/widen.hpp replaces them.
template <std::size_t Lanes, class Bits>
CTLM_INLINE plain_vector<float, Lanes> widened_bfloat(portable, const Bits& v) {
  return std::bit_cast<plain_vector<float, Lanes>>(__builtin_convertvector(v, plain_vector<std::uint32_t, Lanes>)
                                                   << 16);
}
/// Shifts the bits to where single precision has them, then multiplies by 2^112, which corrects the exponent, and that
/// of subnormal numbers too.
template <std::size_t Lanes, class Bits>
CTLM_INLINE plain_vector<float, Lanes> widened_half(portable, const Bits& v) {
  using numbers = plain_vector<float, Lanes>;
  using bits = plain_vector<std::uint32_t, Lanes>;
  const bits wide = __builtin_convertvector(v, bits);
  const numbers magnitude = std::bit_cast<numbers>((wide & 0x7FFF) << 13) * 0x1p112f;
  const bits beyond = std::bit_cast<bits>(magnitude >= 0x1p16f) & 0x7F800000;  // infinity or NaN
  return std::bit_cast<numbers>(std::bit_cast<bits>(magnitude) | beyond | (wide & 0x8000) << 16);
}

/// The same of numbers of 8 bits; 2^120 corrects their exponent.
template <std::size_t Lanes, class Bits>
CTLM_INLINE plain_vector<float, Lanes> widened_e4m3(portable, const Bits& v) {
  using numbers = plain_vector<float, Lanes>;
  using bits = plain_vector<std::uint32_t, Lanes>;
  const bits wide = __builtin_convertvector(v, bits);
  const numbers magnitude = std::bit_cast<numbers>((wide & 0x7F) << 20) * 0x1p120f;
  const bits none = std::bit_cast<bits>((wide & 0x7F) == 0x7F) & 0x7FC00000;  // NaN
  return std::bit_cast<numbers>(std::bit_cast<bits>(magnitude) | none | (wide & 0x80) << 24);
}
/// These are the upper halves of numbers of 16 bits.
template <std::size_t Lanes, class Bits>
CTLM_INLINE auto upper_half(const Bits& v) {
  return __builtin_convertvector(v, plain_vector<std::uint16_t, Lanes>) << 8;
}

/// The bits of numbers in single precision, rounded to half precision, as float_to_half.
template <std::size_t Lanes>
CTLM_INLINE plain_vector<std::uint16_t, Lanes> rounded_half(portable, const plain_vector<float, Lanes>& v) {
  using numbers = plain_vector<float, Lanes>;
  using bits = plain_vector<std::uint32_t, Lanes>;
  const bits x = std::bit_cast<bits>(v), magnitude = x & 0x7FFFFFFF;
  const auto below = [&](std::uint32_t limit) CTLM_LAMBDA_INLINE { return std::bit_cast<bits>(magnitude < limit); };
  const bits normal = (magnitude + 0xFFF + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  const bits small = std::bit_cast<bits>(std::bit_cast<numbers>(magnitude) + 0.5f) - 0x3F000000;
  const bits infinite = below(0x7F800001), finite = below(0x47800000), subnormal = below(0x38800000);
  const bits rounded = (small & subnormal) | (normal & ~subnormal);
  const bits beyond = (0x7C00 & infinite) | (0x7E00 & ~infinite);
  return __builtin_convertvector((rounded & finite) | (beyond & ~finite) | (x >> 16 & 0x8000),
                                 plain_vector<std::uint16_t, Lanes>);
}

/// Numbers in single precision, rounded to those that a 16-bit format has.
template <class F, std::size_t Lanes, class Backend>
CTLM_INLINE plain_vector<float, Lanes> rounded_vector([[maybe_unused]] Backend backend,
                                                      const plain_vector<float, Lanes>& v) {
  using numbers = plain_vector<float, Lanes>;
  using bits = plain_vector<std::uint32_t, Lanes>;
  if constexpr (std::same_as<F, bf16>) {  // as float_to_bfloat
    const bits x = std::bit_cast<bits>(v);
    const bits none = std::bit_cast<bits>(v != v);
    const bits nearest = x + 0x7FFF + (x >> 16 & 1);
    return std::bit_cast<numbers>(((nearest & ~none) | ((x | 0x400000) & none)) & 0xFFFF0000);
  } else {
    static_assert(std::same_as<F, f16>);
    return widened_half<Lanes>(backend, rounded_half<Lanes>(backend, v));
  }
}

/// Numbers that registers widen. Those of formats from elsewhere are converted one by one.
template <class S, class T>
inline constexpr bool widens_in_registers = std::same_as<S, T> || std::same_as<S, bfloat> || std::same_as<S, half> ||
                                            std::same_as<S, float8_e4m3> || std::same_as<S, float8_e5m2>;
template <class F, class S, class T>
inline constexpr bool widens_in_registers<rounded_number<F, S>, T> = widens_in_registers<S, T>;

template <class T, class A, class S>
CTLM_INLINE plain_vector<T, lanes<T, A>> widened(const stored_vector<S, lanes<T, A>>& v) {
  if constexpr (is_rounded<S>)
    return rounded_vector<typename S::format, lanes<T, A>>(simd<A>{}, widened<T, A, typename S::stored_type>(v));
  else if constexpr (std::same_as<S, bfloat>)
    return widened_bfloat<lanes<T, A>>(simd<A>{}, v);
  else if constexpr (std::same_as<S, half>)
    return widened_half<lanes<T, A>>(simd<A>{}, v);
  else if constexpr (std::same_as<S, float8_e4m3>)
    return widened_e4m3<lanes<T, A>>(simd<A>{}, v);
  else if constexpr (std::same_as<S, float8_e5m2>)
    return widened_half<lanes<T, A>>(simd<A>{}, upper_half<lanes<T, A>>(v));
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
