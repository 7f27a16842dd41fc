// SPDX-License-Identifier: MIT
// ctlm: a matrix as a product of thin ones.
#pragma once

#include "format.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// W[n][k] = diag(d) U diag(s) V of one layer: what matrix_of<id>(layer) is of a projection that factored<> names. U
/// and V are stored in the weight format, s and d in the numbers of arithmetic.
template <matrix_view View, class T>
struct factored_matrix {
  View u{};              ///< [n][most rank]
  T* s = nullptr;        ///< [most rank]
  View v{};              ///< [most rank][k]
  T* d = nullptr;        ///< [n]
  std::size_t rank = 0;  ///< how many columns of U and rows of V count: the first ones; below the most in f32 and f64
};

/// Whether W is such a product.
template <class W>
inline constexpr bool is_factored_matrix = false;
template <class View, class T>
inline constexpr bool is_factored_matrix<factored_matrix<View, T>> = true;

}}  // namespace ctlm
