// SPDX-License-Identifier: MIT
// ctlm: stored numbers to numbers that arithmetic can use, portable.
#pragma once

#include "../../backend/portable.hpp"
#include "../../format/format.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// dst[0..cols) = row `row` of m.
template <format F>
constexpr void decode_row(portable, F, const matrix<const F>& m, std::size_t row, typename F::compute* dst) {
  F::decode(m, row, 0, m.cols, dst);
}

/// dst[rows][cols] = rows [first, first + rows) of m.
template <class Backend, format F>
constexpr void decode_rows(Backend backend, F f, const matrix<const F>& m, std::size_t first, std::size_t rows,
                           typename F::compute* dst) {
  for (std::size_t r = 0; r < rows; ++r) decode_row(backend, f, m, first + r, dst + r * m.cols);
}

}}  // namespace ctlm
