// SPDX-License-Identifier: MIT
// ctlm: loops over arrays, a register at a time. The tail goes through a padded register, so that an element's result
// does not depend on where in the array it stands.
#pragma once

#include "../../backend/xsimd.hpp"
#include "../portable/elementwise.hpp"
#include "widen.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// A register's worth of an array while f works on it; written back unless the array is const.
template <class T, class A>
struct lane_vector {
  using real = std::remove_const_t<T>;
  using V = simd_batch<real, A>;
  T* p;
  V v;

  CTLM_INLINE explicit lane_vector(T* q) : p(q), v(V::load_unaligned(q)) {}
  CTLM_INLINE void store() const {
    if constexpr (!std::is_const_v<T>) v.store_unaligned(p);
  }
};

/// The same for the last, incomplete register.
template <class T, class A>
struct lane_tail {
  using real = std::remove_const_t<T>;
  using V = simd_batch<real, A>;
  T* p;
  std::size_t n;
  V v;

  CTLM_INLINE lane_tail(T* q, std::size_t count) : p(q), n(count) {
    alignas(64) real buffer[lanes<real, A>]{};
    for (std::size_t i = 0; i < n; ++i) buffer[i] = q[i];
    v = V::load_aligned(buffer);
  }
  CTLM_INLINE void store() const {
    if constexpr (!std::is_const_v<T>) {
      alignas(64) real buffer[lanes<real, A>];
      v.store_aligned(buffer);
      for (std::size_t i = 0; i < n; ++i) p[i] = buffer[i];
    }
  }
};

/// A register of single precision to as many numbers of 16 bits, rounded.
template <class A>
CTLM_INLINE void store_rounded(const simd_batch<float, A>& v, bfloat* to) {
  constexpr std::size_t w = lanes<float, A>;
  const auto rounded = rounded_vector<bf16, w>(simd<A>{}, std::bit_cast<plain_vector<float, w>>(v));
  const auto bits = __builtin_convertvector(std::bit_cast<plain_vector<std::uint32_t, w>>(rounded) >> 16,
                                            plain_vector<std::uint16_t, w>);
  __builtin_memcpy(to, &bits, sizeof bits);
}
template <class A>
CTLM_INLINE void store_rounded(const simd_batch<float, A>& v, half* to) {
  constexpr std::size_t w = lanes<float, A>;
  const auto bits = rounded_half<w>(simd<A>{}, std::bit_cast<plain_vector<float, w>>(v));
  __builtin_memcpy(to, &bits, sizeof bits);
}
/// The same of an array of 16-bit numbers.
template <class T, class A>
requires stored_in_16_bits<T>
struct lane_vector<T, A> {
  T* p;
  simd_batch<float, A> v;

  CTLM_INLINE explicit lane_vector(T* q) : p(q), v(load_as<float, A>(static_cast<const T*>(q))) {}
  CTLM_INLINE void store() const {
    if constexpr (!std::is_const_v<T>) store_rounded<A>(v, p);
  }
};
template <class T, class A>
requires stored_in_16_bits<T>
struct lane_tail<T, A> {
  T* p;
  std::size_t n;
  simd_batch<float, A> v;

  CTLM_INLINE lane_tail(T* q, std::size_t count) : p(q), n(count) {
    alignas(64) float buffer[lanes<float, A>]{};
    for (std::size_t i = 0; i < n; ++i) buffer[i] = q[i];
    v = simd_batch<float, A>::load_aligned(buffer);
  }
  CTLM_INLINE void store() const {
    if constexpr (!std::is_const_v<T>) {
      std::remove_const_t<T> buffer[lanes<float, A>];
      store_rounded<A>(v, buffer);
      for (std::size_t i = 0; i < n; ++i) p[i] = buffer[i];
    }
  }
};

template <class F, class... Lane>
CTLM_INLINE void apply_lanes(F& f, Lane... lane) {
  f(lane.v...);
  (lane.store(), ...);
}
template <class F, class... Lane>
CTLM_INLINE auto apply_lanes_sum(F& f, Lane... lane) {
  const auto r = f(lane.v...);
  (lane.store(), ...);
  return r;
}

template <class A, class F, class First, class... T>
void elementwise(simd<A>, std::size_t n, F f, First* first, T*... p) {
  constexpr std::size_t w = lanes<std::remove_const_t<First>, A>;
  std::size_t i = 0;
  for (; i + w <= n; i += w) apply_lanes(f, lane_vector<First, A>(first + i), lane_vector<T, A>(p + i)...);
  if (i < n) apply_lanes(f, lane_tail<First, A>(first + i, n - i), lane_tail<T, A>(p + i, n - i)...);
}

template <class A, class F, class First, class... T>
std::remove_const_t<First> sum(simd<A>, std::size_t n, F f, First* first, T*... p) {
  using real = std::remove_const_t<First>;
  using V = simd_batch<real, A>;
  constexpr std::size_t w = lanes<real, A>;
  V even(real(0)), odd(real(0));  // two sums side by side: neither waits for the other's additions
  std::size_t i = 0;
  for (; i + 2 * w <= n; i += 2 * w) {
    even += apply_lanes_sum(f, lane_vector<First, A>(first + i), lane_vector<T, A>(p + i)...);
    odd += apply_lanes_sum(f, lane_vector<First, A>(first + i + w), lane_vector<T, A>(p + i + w)...);
  }
  if (i + w <= n) {
    even += apply_lanes_sum(f, lane_vector<First, A>(first + i), lane_vector<T, A>(p + i)...);
    i += w;
  }
  real total = reduce_sum<real, A>(even + odd);
  if (i < n) {
    const V r = apply_lanes_sum(f, lane_tail<First, A>(first + i, n - i), lane_tail<T, A>(p + i, n - i)...);
    alignas(64) real buffer[w];
    r.store_aligned(buffer);
    for (std::size_t j = 0; j < n - i; ++j) total += buffer[j];
  }
  return total;
}

template <class A, class T>
T maximum(simd<A>, std::size_t n, const T* x) {
  using V = simd_batch<T, A>;
  constexpr std::size_t w = lanes<T, A>;
  if (n < w) return maximum(portable{}, n, x);
  V m = V::load_unaligned(x);
  for (std::size_t i = w; i + w <= n; i += w) m = xsimd::max(m, V::load_unaligned(x + i));
  m = xsimd::max(m, V::load_unaligned(x + n - w));
  return reduce_maximum<T, A>(m);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
