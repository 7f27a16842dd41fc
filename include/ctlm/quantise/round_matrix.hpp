// SPDX-License-Identifier: MIT
// ctlm: a matrix to integers, sixteen rows at a time: by the weights of its inputs alone, or with feedback.
#pragma once

#include "../model/weights.hpp"
#include "feedback.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Sixteen rows of a matrix on their way to integers.
struct rounded_stripe {
  static constexpr std::size_t lanes = stripe_rows;  ///< rows that are rounded together
  float* rows = nullptr;                             ///< [lanes][columns] the weights
  float* wanted = nullptr;  ///< [columns][lanes] what is to be rounded: weights, and errors of other columns
  float* scales = nullptr;  ///< [groups][lanes]
  float* bases = nullptr;   ///< [groups][lanes]

  /// Memory for matrices of at most `columns` columns, in at most `groups` groups.
  template <class A>
  static constexpr rounded_stripe place(A& a, std::size_t columns, std::size_t groups) {
    rounded_stripe s;
    s.rows = a.template allocate<float>(lanes * columns);
    s.wanted = a.template allocate<float>(lanes * columns);
    s.scales = a.template allocate<float>(lanes * groups);
    s.bases = a.template allocate<float>(lanes * groups);
    return s;
  }
};

namespace rounding_detail {

/// Rounds the weights of one column, in all lanes, to codes; what that was wrong by goes to `error`.
template <class F>
constexpr void round_column(const float* wanted, const float* exact, const float* scale, const float* base, int* codes,
                            float* error) {
  constexpr std::size_t lanes = stripe_rows;
  for (std::size_t r = 0; r < lanes; ++r) {
    const float inverse = scale[r] == 0.0f ? 0.0f : 1.0f / scale[r];
    const float c = (wanted[r] - base[r]) * inverse;
    const float cut = c > static_cast<float>(F::highest)  ? static_cast<float>(F::highest)
                      : c > static_cast<float>(F::lowest) ? c
                                                          : static_cast<float>(F::lowest);
    codes[r] = static_cast<int>(cut + (cut < 0.0f ? -0.5f : 0.5f));
    const float e = exact[r] - (static_cast<float>(codes[r]) * scale[r] + base[r]);
    error[r] = math::isfinite(e) ? e : 0.0f;  // a group that is NaN must not spoil the others
  }
}

}  // namespace rounding_detail

/// Adds `part` of `move` to the weights of one row; a row whose weights would not be finite stays as it is.
template <class T>
constexpr void move_row(std::size_t n, const T* move, float part, float* row) {
  if (!math::all_finite(n, move)) return;
  for (std::size_t j = 0; j < n; ++j) row[j] += part * move[j];
}

/// Rows [first, first + count) of `to`, count <= 16, from s.rows, with the scales that `to` already has: column after
/// column, each error made good by the later ones.
template <class F, class View, class T>
constexpr void round_with_feedback(const View& to, std::size_t first, std::size_t count,
                                   const rounding_feedback<T>& feedback, const rounded_stripe& s) {
  constexpr std::size_t lanes = stripe_rows;
  const std::size_t n = to.cols, size = F::group_size(n);
  for (std::size_t g = 0; g < F::groups(n); ++g)
    for (std::size_t r = 0; r < lanes; ++r) {
      const std::size_t at = View::format::scale_index(to, first + smaller(r, count - 1), g);
      const float scale = F::scale_format::scale(to.scales[at]);
      s.scales[g * lanes + r] = scale;
      s.bases[g * lanes + r] = View::format::base_of(to, at, scale);
    }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t r = 0; r < lanes; ++r)
      s.wanted[i * lanes + r] = s.rows[smaller(r, count - 1) * n + feedback.order[i]];
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t column = feedback.order[i], g = column / size;
    int codes[lanes]{};
    float exact[lanes]{}, error[lanes]{};
    for (std::size_t r = 0; r < lanes; ++r) exact[r] = s.rows[smaller(r, count - 1) * n + column];
    rounding_detail::round_column<F>(s.wanted + i * lanes, exact, s.scales + g * lanes, s.bases + g * lanes, codes,
                                     error);
    for (std::size_t r = 0; r < count; ++r) View::format::set(to, first + r, column, codes[r]);
    const T* const factors = feedback.factors + i * feedback.columns;
    for (std::size_t j = i + 1; j < n; ++j) {
      const float factor = factors[j];
      float* const later = s.wanted + j * lanes;
      for (std::size_t r = 0; r < lanes; ++r) later[r] += error[r] * factor;
    }
  }
}

}}  // namespace ctlm
