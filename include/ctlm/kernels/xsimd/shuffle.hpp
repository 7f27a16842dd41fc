// SPDX-License-Identifier: MIT
// ctlm: lanes that change places, and sums over them.
#pragma once

#include "../../backend/xsimd.hpp"

#include <bit>
#include <utility>

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Numbers as the compiler's own vector, whose lanes any permutation can take: xsimd's names for them differ from one
/// release to the next.
template <class T, std::size_t Lanes>
using plain_vector __attribute__((vector_size(Lanes * sizeof(T)))) = T;

template <class V, class Half, std::size_t... I>
CTLM_INLINE V joined(const Half& a, const Half& b, std::index_sequence<I...>) {
  return __builtin_shufflevector(a, b, I...);
}
/// In each group of four lanes: elements A, B, C and D of the eight that a and b have there.
template <std::size_t A, std::size_t B, std::size_t C, std::size_t D, class V, std::size_t... I>
CTLM_INLINE V mixed(const V& a, const V& b, std::index_sequence<I...>) {
  constexpr std::size_t lanes = sizeof...(I), choice[4] = {A, B, C, D};
  return __builtin_shufflevector(a, b, (choice[I % 4] / 4 * lanes + I / 4 * 4 + choice[I % 4] % 4)...);
}

/// Adds the upper half of a register to its lower half until four lanes are left.
template <class T, std::size_t Lanes, std::size_t... I>
CTLM_INLINE plain_vector<T, 4> folded(const plain_vector<T, Lanes>& v, std::index_sequence<I...>) {
  if constexpr (Lanes == 4) {
    return v;
  } else {
    const plain_vector<T, Lanes / 2> sum =
        __builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (I + Lanes / 2)...);
    return folded<T, Lanes / 2>(sum, std::make_index_sequence<Lanes / 4>{});
  }
}

/// The sums over the lanes of four registers at once, a third of the work of one after the other. None depends on its
/// neighbours.
template <class T, class A, class V = simd_batch<T, A>>
CTLM_INLINE void four_sums(const V& a, const V& b, const V& c, const V& d, T* to) {
  constexpr std::size_t n = lanes<T, A>;
  if constexpr (n % 4 != 0) {
    const T sums[] = {reduce_sum<T, A>(a), reduce_sum<T, A>(b), reduce_sum<T, A>(c), reduce_sum<T, A>(d)};
    __builtin_memcpy(to, sums, sizeof sums);
  } else {
    constexpr auto all = std::make_index_sequence<n>{};
    using plain = plain_vector<T, n>;
    const auto x = std::bit_cast<plain>(a), y = std::bit_cast<plain>(b), z = std::bit_cast<plain>(c),
               t = std::bit_cast<plain>(d);
    const plain xy = mixed<0, 4, 1, 5>(x, y, all) + mixed<2, 6, 3, 7>(x, y, all);
    const plain zt = mixed<0, 4, 1, 5>(z, t, all) + mixed<2, 6, 3, 7>(z, t, all);
    const plain groups = mixed<0, 1, 4, 5>(xy, zt, all) + mixed<2, 3, 6, 7>(xy, zt, all);
    const plain_vector<T, 4> sums = folded<T, n>(groups, std::make_index_sequence<n / 2>{});
    __builtin_memcpy(to, &sums, sizeof sums);
  }
}

/// The same of as many registers as there are S: to[s], and room for a multiple of four.
template <class T, class A, class V = simd_batch<T, A>, std::size_t... S>
CTLM_INLINE void many_sums(std::index_sequence<S...>, const V (&from)[sizeof...(S)], T* to) {
  auto add_up = [&](std::size_t s) CTLM_LAMBDA_INLINE {
    constexpr std::size_t last = sizeof...(S) - 1;
    if (s % 4 == 0)
      four_sums<T, A>(from[s], from[smaller(s + 1, last)], from[smaller(s + 2, last)], from[smaller(s + 3, last)],
                      to + s);
  };
  (add_up(S), ...);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
