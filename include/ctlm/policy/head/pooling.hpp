// SPDX-License-Identifier: MIT
// ctlm: how the final rows of a sequence become one vector.
#pragma once

#include "../../kernels/primitives.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// A vector is a sum of rows: P::share(row, length) says how much of it row number `row` is, of a sequence with
/// `length` rows, at least 1. Rows from `length` on, those of padding, have no share and are not asked for.
template <class P>
concept pooling_policy = requires {
  { P::name } -> std::convertible_to<const char*>;
  { P::share(std::size_t{}, std::size_t{}) } -> std::same_as<double>;
};

/// The mean of all rows.
struct mean_rows {
  static constexpr const char* name = "mean";  ///< in checkpoints

  /// The same for all rows.
  static constexpr double share(std::size_t, std::size_t length) { return 1 / static_cast<double>(length); }
};
/// The last row, which has seen the whole sequence.
struct last_row {
  static constexpr const char* name = "last";
  /// 1 for the last row, 0 for all others.
  static constexpr double share(std::size_t row, std::size_t length) { return row + 1 == length ? 1 : 0; }
};
static_assert(pooling_policy<mean_rows> && pooling_policy<last_row>);

/// Adds row number `row` of a sequence of `length` rows to its vector. Both have d numbers.
template <class P, class Backend, class T>
constexpr void add_row(Backend backend, std::size_t d, std::size_t row, std::size_t length, const T* from, T* vector) {
  const T share = static_cast<T>(P::share(row, length));
  if (share == T(0)) return;
  elementwise(
      backend, d, [=](auto& to, const auto& x) { to = to + x * share; }, vector, from);
}
/// The vector of rows [length][d].
template <class P, class Backend, class T>
constexpr void pool_rows(Backend backend, std::size_t d, std::size_t length, const T* rows, T* vector) {
  for (std::size_t i = 0; i < d; ++i) vector[i] = 0;
  for (std::size_t r = 0; r < length; ++r) add_row<P>(backend, d, r, length, rows + r * d, vector);
}
/// The gradients of the rows, from that of their vector; rows from `length` to `sequence` have none.
template <class P, class Backend, class T>
constexpr void pool_rows_backward(Backend backend, std::size_t d, std::size_t length, std::size_t sequence,
                                  const T* dvector, T* drows) {
  for (std::size_t r = 0; r < sequence; ++r) {
    const T share = r < length ? static_cast<T>(P::share(r, length)) : T(0);
    elementwise(
        backend, d, [=](auto& to, const auto& g) { to = g * share; }, drows + r * d, dvector);
  }
}

}}  // namespace ctlm
