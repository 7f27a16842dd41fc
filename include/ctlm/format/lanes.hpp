// SPDX-License-Identifier: MIT
// ctlm: sixteen numbers, or integers of 32 bits, in the processor's registers, and what is done with all of them at
// once. Vectors are those of the compiler: this room needs no library. Only for processors that have them
// (CTLM_FIT_WIDTH).
#pragma once

#include "fit_search.hpp"

#if CTLM_FIT_WIDTH > 0
namespace ctlm { inline namespace CTLM_ABI { namespace fit_detail {

/// fit_lanes numbers or integers of 32 bits, in as many registers as they take.
template <class T>
struct lanes {
  static constexpr std::size_t registers = fit_lanes / CTLM_FIT_WIDTH;
  using vector __attribute__((vector_size(4 * CTLM_FIT_WIDTH))) = T;
  vector v[registers];

  /// x in all lanes.
  static CTLM_INLINE lanes all(T x) {
    lanes to;
    for (std::size_t i = 0; i < registers; ++i) to.v[i] = x - vector{};
    return to;
  }
  static CTLM_INLINE lanes load(const T* from) {
    lanes to;
    for (std::size_t i = 0; i < registers; ++i) __builtin_memcpy(&to.v[i], from + i * CTLM_FIT_WIDTH, sizeof(vector));
    return to;
  }
  CTLM_INLINE void store(T* to) const {
    for (std::size_t i = 0; i < registers; ++i) __builtin_memcpy(to + i * CTLM_FIT_WIDTH, &v[i], sizeof(vector));
  }
  /// The same bits as integers, or as numbers.
  CTLM_INLINE lanes<std::int32_t> bits() const { return lanes<std::int32_t>::of_bits(*this); }
  CTLM_INLINE lanes<float> number_of_bits() const { return lanes<float>::of_bits(*this); }
  /// As a number; or an integer: what is before the point.
  CTLM_INLINE lanes<float> number() const { return lanes<float>::converted(*this); }
  CTLM_INLINE lanes<std::int32_t> truncated() const { return lanes<std::int32_t>::converted(*this); }

  template <class From>
  static CTLM_INLINE lanes of_bits(const lanes<From>& from) {
    lanes to;
    for (std::size_t i = 0; i < registers; ++i) to.v[i] = (vector)from.v[i];
    return to;
  }
  template <class From>
  static CTLM_INLINE lanes converted(const lanes<From>& from) {
    lanes to;
    for (std::size_t i = 0; i < registers; ++i) to.v[i] = __builtin_convertvector(from.v[i], vector);
    return to;
  }
};
using numbers = lanes<float>;
using integers = lanes<std::int32_t>;

/// f of each register of a and b.
template <class T, class F>
CTLM_INLINE lanes<T> zip(lanes<T> a, const lanes<T>& b, F&& f) {
  for (std::size_t i = 0; i < lanes<T>::registers; ++i) a.v[i] = f(a.v[i], b.v[i]);
  return a;
}
template <class T>
CTLM_INLINE lanes<T> operator+(const lanes<T>& a, const lanes<T>& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x + y; });
}
template <class T>
CTLM_INLINE lanes<T> operator-(const lanes<T>& a, const lanes<T>& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x - y; });
}
template <class T>
CTLM_INLINE lanes<T> operator*(const lanes<T>& a, const lanes<T>& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x * y; });
}
CTLM_INLINE numbers operator/(const numbers& a, const numbers& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x / y; });
}
CTLM_INLINE integers operator&(const integers& a, const integers& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x & y; });
}
CTLM_INLINE integers operator|(const integers& a, const integers& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x | y; });
}
CTLM_INLINE integers operator^(const integers& a, const integers& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x ^ y; });
}
CTLM_INLINE integers operator<<(integers a, int n) {
  for (auto& v : a.v) v = v << n;
  return a;
}
CTLM_INLINE integers operator>>(integers a, int n) {
  for (auto& v : a.v) v = v >> n;
  return a;
}
/// All bits of the lanes in which a is less than b, or equal to it; none of others.
template <class T>
CTLM_INLINE integers less(const lanes<T>& a, const lanes<T>& b) {
  integers to;
  for (std::size_t i = 0; i < lanes<T>::registers; ++i) to.v[i] = a.v[i] < b.v[i];
  return to;
}
template <class T>
CTLM_INLINE integers equal(const lanes<T>& a, const lanes<T>& b) {
  integers to;
  for (std::size_t i = 0; i < lanes<T>::registers; ++i) to.v[i] = a.v[i] == b.v[i];
  return to;
}
/// Of each lane, `yes` where the condition has all bits, `no` where it has none.
template <class T>
CTLM_INLINE lanes<T> select(const integers& condition, lanes<T> yes, const lanes<T>& no) {
  for (std::size_t i = 0; i < lanes<T>::registers; ++i) yes.v[i] = condition.v[i] ? yes.v[i] : no.v[i];
  return yes;
}

/// Stores integers from 0 to 255 as bytes.
CTLM_INLINE void store_bytes(const integers& a, std::uint8_t* to) {
  using sixteen __attribute__((vector_size(16))) = std::uint8_t;
#if CTLM_FIT_WIDTH == 16
  const auto bytes = __builtin_convertvector(a.v[0], sixteen);
#elif CTLM_FIT_WIDTH == 8
  using all __attribute__((vector_size(32))) = std::uint8_t;
  const sixteen bytes =
      __builtin_shufflevector((all)a.v[0], (all)a.v[1], 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
#else
  using eight __attribute__((vector_size(16))) = std::uint16_t;
  const eight low = __builtin_shufflevector((eight)a.v[0], (eight)a.v[1], 0, 2, 4, 6, 8, 10, 12, 14);
  const eight high = __builtin_shufflevector((eight)a.v[2], (eight)a.v[3], 0, 2, 4, 6, 8, 10, 12, 14);
  const sixteen bytes =
      __builtin_shufflevector((sixteen)low, (sixteen)high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#endif
  __builtin_memcpy(to, &bytes, sizeof bytes);
}

/// f(f(lane 0, lane 8), ...): all lanes, one half with the other until one is left.
template <class T, class F>
CTLM_INLINE T folded(const lanes<T>& a, F&& f) {
  using four __attribute__((vector_size(16))) = T;
  four x;
  if constexpr (CTLM_FIT_WIDTH == 16) {
    const auto eight = f(__builtin_shufflevector(a.v[0], a.v[0], 0, 1, 2, 3, 4, 5, 6, 7),
                         __builtin_shufflevector(a.v[0], a.v[0], 8, 9, 10, 11, 12, 13, 14, 15));
    x = f(__builtin_shufflevector(eight, eight, 0, 1, 2, 3), __builtin_shufflevector(eight, eight, 4, 5, 6, 7));
  } else if constexpr (CTLM_FIT_WIDTH == 8) {
    const auto eight = f(a.v[0], a.v[1]);
    x = f(__builtin_shufflevector(eight, eight, 0, 1, 2, 3), __builtin_shufflevector(eight, eight, 4, 5, 6, 7));
  } else {
    x = f(f(a.v[0], a.v[2]), f(a.v[1], a.v[3]));
  }
  x = f(x, __builtin_shufflevector(x, x, 2, 3, 0, 1));
  return f(x, __builtin_shufflevector(x, x, 1, 0, 3, 2))[0];
}
CTLM_INLINE float sum_of(const numbers& a) {
  return folded(a, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x + y; });
}
CTLM_INLINE integers lesser(const integers& a, const integers& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x < y ? x : y; });
}
CTLM_INLINE integers greater(const integers& a, const integers& b) {
  return zip(a, b, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x > y ? x : y; });
}
CTLM_INLINE std::int32_t least_of(const integers& a) {
  return folded(a, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x < y ? x : y; });
}
CTLM_INLINE std::int32_t greatest_of(const integers& a) {
  return folded(a, [](auto x, auto y) CTLM_LAMBDA_INLINE { return x > y ? x : y; });
}

}}}  // namespace ctlm::fit_detail
#endif
