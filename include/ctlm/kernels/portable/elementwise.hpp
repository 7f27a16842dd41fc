// SPDX-License-Identifier: MIT
// ctlm: loops over arrays, one element at a time.
#pragma once

#include "../../backend/portable.hpp"
#include "../../core/math.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// f(p[i]...) for every i. Parameters that f takes by reference are written back; arrays of const T are only read.
template <class F, class... T>
constexpr void elementwise(portable, std::size_t n, F f, T*... p) {
  for (std::size_t i = 0; i < n; ++i) f(p[i]...);
}

/// The sum of f(p[i]...) over all i; f may also write, as above.
template <class F, class First, class... T>
constexpr std::remove_const_t<First> sum(portable, std::size_t n, F f, First* first, T*... p) {
  std::remove_const_t<First> total{};
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
