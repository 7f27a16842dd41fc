// SPDX-License-Identifier: MIT
// ctlm: copies the operands of a matrix product to where its tiles read them from, transposed where they must be.
#pragma once

#include "../../tensor/strided.hpp"
#include "widen.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// A register filled from every fourth row, four numbers of each: number 4 i + j of it is from[4 i * stride + j].
template <std::size_t Lanes, class S>
CTLM_INLINE stored_vector<S, Lanes> load_fours(const S* from, std::size_t stride) {
  if constexpr (Lanes == 4) {
    stored_vector<S, 4> v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
  } else {
    return joined<stored_vector<S, Lanes>>(load_fours<Lanes / 2>(from, stride),
                                           load_fours<Lanes / 2>(from + Lanes / 2 * stride, stride),
                                           std::make_index_sequence<Lanes>{});
  }
}
/// to[j][i] = from[i][j] for a square as wide as a register, four columns of `from` at a time. Each load brings four
/// numbers of every fourth row into one register. After that, numbers only change places within groups of four lanes,
/// which is faster than to move them farther.
template <class T, class A, class S>
CTLM_INLINE void transpose_square(const S* from, std::size_t from_stride, T* to, std::size_t to_stride) {
  constexpr std::size_t n = lanes<T, A>;
  using V = plain_vector<T, n>;
  constexpr auto all = std::make_index_sequence<n>{};
  for (std::size_t j = 0; j < n; j += 4) {
    V row[4];
    for (std::size_t i = 0; i < 4; ++i)
      row[i] = widened<T, A, S>(load_fours<n>(from + i * from_stride + j, from_stride));
    const V a = mixed<0, 4, 1, 5>(row[0], row[1], all), b = mixed<2, 6, 3, 7>(row[0], row[1], all);
    const V c = mixed<0, 4, 1, 5>(row[2], row[3], all), d = mixed<2, 6, 3, 7>(row[2], row[3], all);
    // One by one: GCC would put an array of them into memory and copy it in halves of registers.
    const auto put = [&](std::size_t i, const V& column)
                         CTLM_LAMBDA_INLINE { __builtin_memcpy(to + (j + i) * to_stride, &column, sizeof(V)); };
    put(0, mixed<0, 1, 4, 5>(a, c, all));
    put(1, mixed<2, 3, 6, 7>(a, c, all));
    put(2, mixed<0, 1, 4, 5>(b, d, all));
    put(3, mixed<2, 3, 6, 7>(b, d, all));
  }
}

/// to[i][j] = from(i, j) for all rows and columns, whether `from` lies in rows or in columns. Rows of `to` are
/// to_stride numbers apart.
template <class T, class A, class S>
void pack(simd<A>, strided<S> from, std::size_t rows, std::size_t columns, T* CTLM_RESTRICT to, std::size_t to_stride) {
  constexpr std::size_t w = lanes<T, A>;
  if (from.col == 1) {
    for (std::size_t i = 0; i < rows; ++i) {
      const S* source = from.data + i * from.row;
      T* target = to + i * to_stride;
      std::size_t j = 0;
      // Two registers at a time: GCC would make a call of memmove for each row of a loop over one.
      for (; j + 2 * w <= columns; j += 2 * w) {
        const auto even = load_as<T, A>(source + j);
        const auto odd = load_as<T, A>(source + j + w);
        even.store_unaligned(target + j);
        odd.store_unaligned(target + j + w);
      }
      for (; j < columns; ++j) target[j] = source[j];
    }
    return;
  }
  constexpr bool squares = w >= 4 && widens_in_registers<S, T>;
  const std::size_t whole_rows = from.row == 1 && squares ? rows / w * w : 0, whole_columns = columns / w * w;
  if constexpr (squares)
    for (std::size_t i = 0; i < whole_rows; i += w)
      for (std::size_t j = 0; j < whole_columns; j += w)
        transpose_square<T, A>(from.data + i + j * from.col, from.col, to + i * to_stride + j, to_stride);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j)
      to[i * to_stride + j] = from.data[i * from.row + j * from.col];
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
