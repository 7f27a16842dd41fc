// SPDX-License-Identifier: MIT
// ctlm: the small types everything speaks of.
#pragma once

#include "config.hpp"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ctlm { inline namespace CTLM_ABI {

/// An entry of the vocabulary.
using token = std::int32_t;

/// A target that takes no part in the loss.
inline constexpr token ignore_token = -1;

/// The scalar behind a value that is either a scalar or a SIMD batch.
template <class V>
struct scalar_of {
  using type = V;
};
template <class V>
requires requires { typename V::value_type; }
struct scalar_of<V> {
  using type = typename V::value_type;
};
/// The scalar behind V: V itself, or the number type of a SIMD batch.
template <class V>
using scalar_t = typename scalar_of<V>::type;

/// A constant in the precision of V: scalar code and SIMD code share one spelling.
template <class V>
constexpr V constant(double x) {
  return V(static_cast<scalar_t<V>>(x));
}

/// a / b, rounded up.
constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }
/// The least multiple of b that is not below a.
constexpr std::size_t round_up(std::size_t a, std::size_t b) { return ceil_div(a, b) * b; }
/// The smaller of two sizes.
constexpr std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }
/// The larger of two sizes.
constexpr std::size_t larger(std::size_t a, std::size_t b) { return a < b ? b : a; }

}}  // namespace ctlm
