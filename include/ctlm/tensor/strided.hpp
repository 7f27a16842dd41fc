// SPDX-License-Identifier: MIT
// ctlm: a read-only matrix operand with strides, so that one matrix product serves all transposed forms.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Element (i, j) is data[i * row + j * col]. Shapes travel beside it, as extents of the kernel.
template <class T>
struct strided {
  const T* data;
  std::size_t row;
  std::size_t col;

  /// The same numbers with rows and columns exchanged; nothing is moved.
  constexpr strided transposed() const { return {data, col, row}; }
  /// The part that begins at row i and column j.
  constexpr strided from(std::size_t i, std::size_t j) const { return {data + i * row + j * col, row, col}; }
};

/// A row-major matrix whose rows lie `stride` elements apart.
template <class T>
constexpr strided<T> row_major(const T* data, std::size_t stride) {
  return {data, stride, 1};
}

}}  // namespace ctlm
