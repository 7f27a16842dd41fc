// SPDX-License-Identifier: MIT
// ctlm: loops over arrays, one element at a time.
#pragma once

#include "../../backend/portable.hpp"
#include "../../core/math.hpp"
#include "../../format/float16.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// Whether loops over arrays of S see numbers of single precision, and round what they write: numbers of 16 bits.
template <class S>
inline constexpr bool stored_in_16_bits =
    std::same_as<std::remove_const_t<S>, bfloat> || std::same_as<std::remove_const_t<S>, half>;

/// An element of an array while f works on it.
template <class T>
struct array_element {
  T& value;
  constexpr explicit array_element(T& x) : value(x) {}
  constexpr void store() const {}
};
template <class T>
requires stored_in_16_bits<T>
struct array_element<T> {
  T& place;
  float value;
  constexpr explicit array_element(T& x) : place(x), value(x) {}
  constexpr void store() const {
    if constexpr (!std::is_const_v<T>) place = T::from(value);
  }
};
template <class F, class... Element>
constexpr auto apply_to_elements(F& f, Element... element) {
  if constexpr (std::is_void_v<decltype(f(element.value...))>) {
    f(element.value...);
    (element.store(), ...);
  } else {
    const auto result = f(element.value...);
    (element.store(), ...);
    return result;
  }
}

/// f(p[i]...) for every i. Parameters that f takes by reference are written back; arrays of const T are only read. The
/// first array is of numbers of arithmetic; others may be stored in 16 bits.
template <class F, class... T>
constexpr void elementwise(portable, std::size_t n, F f, T*... p) {
  if constexpr ((stored_in_16_bits<T> || ...))
    for (std::size_t i = 0; i < n; ++i) apply_to_elements(f, array_element<T>(p[i])...);
  else
    for (std::size_t i = 0; i < n; ++i) f(p[i]...);
}

/// The sum of f(p[i]...) over all i; f may also write, as above.
template <class F, class First, class... T>
constexpr std::remove_const_t<First> sum(portable, std::size_t n, F f, First* first, T*... p) {
  std::remove_const_t<First> total{};
  if constexpr ((stored_in_16_bits<T> || ...))
    for (std::size_t i = 0; i < n; ++i)
      total += apply_to_elements(f, array_element<First>(first[i]), array_element<T>(p[i])...);
  else
    for (std::size_t i = 0; i < n; ++i) total += f(first[i], p[i]...);
  return total;
}

/// The largest of n > 0 numbers.
template <class T>
constexpr T maximum(portable, std::size_t n, const T* x) {
  T m = x[0];
  for (std::size_t i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

}}  // namespace ctlm
