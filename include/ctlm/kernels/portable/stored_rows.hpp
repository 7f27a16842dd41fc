// SPDX-License-Identifier: MIT
// ctlm: rows of a matrix in any format that attention multiplies with where they are, without decoding them to memory
// first. Only backends with registers to decode to have such products; the portable one decodes.
#pragma once

#include "../../backend/portable.hpp"
#include "../../format/format.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Consecutive rows of a matrix in format F; those of a ring go on elsewhere.
template <class F>
struct stored_rows {
  matrix<const F> from{};
  std::size_t first = 0;   ///< the row of number 0
  std::size_t before = 0;  ///< numbers from `before` on lie `skipped` rows further on, or back
  std::size_t skipped = 0;

  /// The row of number j.
  constexpr std::size_t row(std::size_t j) const { return first + j + (j < before ? 0 : skipped); }
};

/// Whether a backend has stored_products() and add_stored_products() for rows of `Columns` numbers in format F.
template <class Backend, class F, std::size_t Columns>
inline constexpr bool multiplies_stored = false;

}}  // namespace ctlm
