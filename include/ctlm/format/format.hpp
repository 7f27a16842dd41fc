// SPDX-License-Identifier: MIT
// ctlm: what a storage format is.
//
// A format F says how a matrix of rows x cols numbers lies in memory. matrix<F> is a mutable view of one,
// matrix<const F> a read-only view (weights in flash), as with span<T> and span<const T>. Rows are encoded and decoded
// one at a time and may have any length.
#pragma once

#include "../memory/arena.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// A view of a matrix stored in format F.
template <class F>
using matrix = typename std::remove_const_t<F>::template view<std::is_const_v<F>>;

/// Storage formats of weights and KV caches.
///   F::compute                    the scalar that arithmetic on decoded numbers uses (float, or double for f64)
///   F::bits                       bits of one code
///   F::name                       short text for tables
///   F::place(arena, rows, cols)   lays a matrix out in an arena and yields the view
///   F::encode(view, row, src)     writes one row of cols numbers
///   F::decode(view, row, first, n, dst)   reads n numbers of one row
template <class F>
concept format = requires(measuring_arena& a, matrix<F> m, matrix<const F> c, typename F::compute* x) {
  { F::bits } -> std::convertible_to<std::size_t>;
  { F::name } -> std::convertible_to<const char*>;
  { F::place(a, std::size_t{}, std::size_t{}) } -> std::same_as<matrix<F>>;
  F::encode(m, std::size_t{}, x);
  F::decode(c, std::size_t{}, std::size_t{}, std::size_t{}, x);
};

/// Formats whose codes are integers with a scale per group.
template <class F>
concept quantised_format = format<F> && requires {
  F::group;
};

/// Several formats, for different matrices of a model (mixed.hpp).
template <class F>
concept mixed_format = format<F> && requires {
  typename F::formats;
};

/// Formats whose elements are the numbers themselves.
template <class F>
concept plain_format = format<F> && !quantised_format<F> && !mixed_format<F>;

/// Formats that arithmetic can use in place, without decoding.
template <class F>
concept native_format = plain_format<F> && std::same_as<typename F::element, typename F::compute>;

/// A view of a matrix that knows how it is stored: W::format. Linear layers are overloaded on it.
template <class W>
concept matrix_view = requires {
  typename W::format;
}
&&format<typename W::format>;

/// Bytes of a rows x cols matrix, padding included.
template <format F>
constexpr std::size_t matrix_bytes(std::size_t rows, std::size_t cols) {
  return measure([&](auto& a) { F::place(a, rows, cols); });
}

}}  // namespace ctlm
