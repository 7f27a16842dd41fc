// SPDX-License-Identifier: MIT
// ctlm: the backend of xsimd batches. The only file that includes xsimd, and the one that knows its versions
// (8.1, which Debian 12 ships, to the newest).
#pragma once

#include "../core/math.hpp"
#include "portable.hpp"

CTLM_INTRINSICS_BEGIN
#include <xsimd/xsimd.hpp>

namespace ctlm { inline namespace CTLM_ABI {

/// A kernel without an overload for simd<A> falls back to the portable one.
template <class A>
struct simd : portable {
  /// The best target is called what the ABI tag calls it: xsimd's default may be one without instructions that kernels
  /// use, such as VNNI.
  static constexpr const char* name =
      std::is_same_v<A, xsimd::default_arch> ? CTLM_QUOTE(CTLM_ABI_ISA) : static_cast<const char*>(A::name());
  using isa = A;
};

/// The best target that this translation unit is compiled for.
using native_simd = simd<xsimd::default_arch>;

template <class T, class A>
using simd_batch = xsimd::batch<T, A>;

/// Numbers of type T in one register.
template <class T, class A>
inline constexpr std::size_t lanes = simd_batch<T, A>::size;

/// Registers that a matrix product may keep its sums in.
template <class A>
inline constexpr std::size_t vector_registers = sizeof(simd_batch<float, A>) >= 64 ? 32 : 16;

template <class T, class A>
CTLM_INLINE T reduce_sum(const simd_batch<T, A>& v) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}

namespace math {

/// a * b without its last bit, as of single numbers.
template <class A>
CTLM_INLINE xsimd::batch<float, A> product(const xsimd::batch<float, A>& a, const xsimd::batch<float, A>& b) {
  using bits = xsimd::batch<std::int32_t, A>;
  return std::bit_cast<xsimd::batch<float, A>>(std::bit_cast<bits>(a * b) & bits(~1));
}
/// p * 2^n, where t is n + 1.5 * 2^23, and 0 unless y is above -126, as of single numbers.
template <class A>
CTLM_INLINE xsimd::batch<float, A> times_power(const xsimd::batch<float, A>& p, const xsimd::batch<float, A>& t,
                                               const xsimd::batch<float, A>& y) {
  using V = xsimd::batch<float, A>;
  using bits = xsimd::batch<std::int32_t, A>;
  const V powered = std::bit_cast<V>(std::bit_cast<bits>(p) + (std::bit_cast<bits>(t) << 23));
  return xsimd::select(y > V(-126.0f), powered, V(0.0f));
}

}  // namespace math

template <class T, class A>
CTLM_INLINE T reduce_maximum(const simd_batch<T, A>& v) {
#if CTLM_AVX512
  if constexpr (std::same_as<T, std::int32_t> && lanes<T, A> == 16) return _mm512_reduce_max_epi32(v);
#endif
  alignas(64) T lane[lanes<T, A>];
  v.store_aligned(lane);
  for (std::size_t half = lanes<T, A> / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lane[i] = lane[i + half] > lane[i] ? lane[i + half] : lane[i];
  return lane[0];
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
