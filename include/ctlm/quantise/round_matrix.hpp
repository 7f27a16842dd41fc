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
  float* errors = nullptr;  ///< [block][lanes] what columns that were rounded last are wrong by

  /// Columns whose errors go to the later ones together.
  static constexpr std::size_t block = 64;

  /// Memory for matrices of at most `columns` columns, in at most `groups` groups.
  template <class A>
  static constexpr rounded_stripe place(A& a, std::size_t columns, std::size_t groups) {
    rounded_stripe s;
    s.rows = a.template allocate<float>(lanes * columns);
    s.wanted = a.template allocate<float>(lanes * columns);
    s.scales = a.template allocate<float>(lanes * groups);
    s.bases = a.template allocate<float>(lanes * groups);
    s.errors = a.template allocate<float>(lanes * block);
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

/// wanted[j] += the errors of `count` columns, one after the other, times factors[i][j], for columns [first, n) in all
/// lanes. Some columns at a time, which a cache holds, and four errors at a time, which registers hold.
template <class T>
constexpr void pass_errors(std::size_t count, const float* errors, const T* factors, std::size_t stride,
                           std::size_t first, std::size_t n, float* wanted) {
  constexpr std::size_t lanes = stripe_rows, some = 128, together = 4;
  for (std::size_t begin = first; begin < n; begin += some) {
    const std::size_t end = smaller(begin + some, n);
    std::size_t i = 0;
    for (; i + together <= count; i += together) {
      float e[together][lanes]{};  // copies: nothing else writes to them
      for (std::size_t k = 0; k < together; ++k)
        for (std::size_t r = 0; r < lanes; ++r) e[k][r] = errors[(i + k) * lanes + r];
      const T* const f = factors + i * stride;
      for (std::size_t j = begin; j < end; ++j) {
        const T a = f[j], b = f[stride + j], c = f[2 * stride + j], d = f[3 * stride + j];
        float* const to = wanted + j * lanes;
        for (std::size_t r = 0; r < lanes; ++r) to[r] = to[r] + e[0][r] * a + e[1][r] * b + e[2][r] * c + e[3][r] * d;
      }
    }
    for (; i < count; ++i)
      for (std::size_t j = begin; j < end; ++j) {
        const T factor = factors[i * stride + j];
        for (std::size_t r = 0; r < lanes; ++r) wanted[j * lanes + r] += errors[i * lanes + r] * factor;
      }
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
  for (std::size_t begin = 0; begin < n; begin += s.block) {
    const std::size_t end = smaller(begin + s.block, n);
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t column = feedback.order[i], g = column / size;
      int codes[lanes]{};
      float exact[lanes]{};
      float* const error = s.errors + (i - begin) * lanes;
      for (std::size_t r = 0; r < lanes; ++r) exact[r] = s.rows[smaller(r, count - 1) * n + column];
      rounding_detail::round_column<F>(s.wanted + i * lanes, exact, s.scales + g * lanes, s.bases + g * lanes, codes,
                                       error);
      for (std::size_t r = 0; r < count; ++r) View::format::set(to, first + r, column, codes[r]);
      rounding_detail::pass_errors(1, error, feedback.factors + i * n, n, i + 1, end, s.wanted);
    }
    rounding_detail::pass_errors(end - begin, s.errors, feedback.factors + begin * n, n, end, n, s.wanted);
  }
}

}}  // namespace ctlm
