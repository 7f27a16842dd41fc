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
  float* moves = nullptr;   ///< [columns][lanes] what is added to the weights before (move_targets)
  float* scales = nullptr;  ///< [groups][lanes]
  float* bases = nullptr;   ///< [groups][lanes]

  /// Memory for matrices of at most `columns` columns, in at most `groups` groups.
  template <class A>
  static constexpr rounded_stripe place(A& a, std::size_t columns, std::size_t groups) {
    rounded_stripe s;
    s.rows = a.template allocate<float>(lanes * columns);
    s.wanted = a.template allocate<float>(lanes * columns);
    s.moves = a.template allocate<float>(lanes * columns);
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

/// sum[lanes] of n columns [n][lanes], each times its factor; in four parts, which no processor has to wait for.
template <class T>
constexpr void combine_columns(std::size_t n, const T* factors, const float* columns, float* sum) {
  constexpr std::size_t lanes = stripe_rows, parts = 4;
  float part[parts][lanes]{};
  const std::size_t whole = n / parts * parts;
  for (std::size_t k = 0; k < whole; k += parts)
    for (std::size_t p = 0; p < parts; ++p)
      for (std::size_t r = 0; r < lanes; ++r) part[p][r] += factors[k + p] * columns[(k + p) * lanes + r];
  for (std::size_t k = whole; k < n; ++k)
    for (std::size_t r = 0; r < lanes; ++r) part[k - whole][r] += factors[k] * columns[k * lanes + r];
  for (std::size_t r = 0; r < lanes; ++r) sum[r] = (part[0][r] + part[1][r]) + (part[2][r] + part[3][r]);
}

}  // namespace rounding_detail

/// Moves the weights w in s.rows, 16 rows of them, by `part` of the way to those that compute from the inputs x of a
/// model with rounded weights what the exact model computes, as nearly as a matrix can: w + w M (X^T X)^-1 with M the
/// sums of (exact_i - x_i) x_j. (GPTAQ: Li, Yin, Lee, Xiao, Panda 2025, all columns at once.) X^T X = U D U^T is
/// `feedback`, and M is what `inputs` have moved. A row whose weights would not be finite stays as it is.
template <class T>
constexpr void move_targets(const input_statistics<T>& inputs, const rounding_feedback<T>& feedback, float part,
                            const rounded_stripe& s) {
  constexpr std::size_t lanes = stripe_rows;
  const std::size_t n = feedback.columns;
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t r = 0; r < lanes; ++r) s.wanted[k * lanes + r] = s.rows[r * n + k];
  for (std::size_t i = n; i-- > 0;) {  // v U^T = w M, from the last
    const T *const moved = inputs.moved + feedback.order[i] * n, *const factors = feedback.factors + i * n;
    float made[lanes]{}, known[lanes]{};
    rounding_detail::combine_columns(n, moved, s.wanted, made);
    rounding_detail::combine_columns(n - i - 1, factors + i + 1, s.moves + (i + 1) * lanes, known);
    for (std::size_t r = 0; r < lanes; ++r) s.moves[i * lanes + r] = made[r] - known[r];
  }
  for (std::size_t i = 0; i < n * lanes; ++i) s.moves[i] /= feedback.pivots[i / lanes];
  for (std::size_t j = 0; j < n; ++j)  // z U = v / D, from the first
    for (std::size_t i = j + 1; i < n; ++i) {
      const float factor = feedback.factors[j * n + i];
      for (std::size_t r = 0; r < lanes; ++r) s.moves[i * lanes + r] -= factor * s.moves[j * lanes + r];
    }
  for (std::size_t r = 0; r < lanes; ++r) {
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) finite = finite && math::isfinite(s.moves[i * lanes + r]);
    if (!finite) continue;
    for (std::size_t i = 0; i < n; ++i) s.rows[r * n + feedback.order[i]] += part * s.moves[i * lanes + r];
  }
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
