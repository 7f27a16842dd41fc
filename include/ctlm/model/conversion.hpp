// SPDX-License-Identifier: MIT
// ctlm: what a conversion between formats could not keep.
#pragma once

#include "../core/math.hpp"
#include "../format/format.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Counts of groups of numbers: those that share a scale, or, of formats without scales, rows. format/quantised.hpp
/// says what a group of integers can hold. A caller may refuse weights that were not kept; ignoring the report is fine.
struct conversion {
  std::size_t groups = 0;    ///< groups that were converted
  std::size_t vanished = 0;  ///< groups of which nothing but zeros is left, and which held more
  std::size_t cut = 0;       ///< groups with finite numbers beyond the format's range, which become its end or infinity
  std::size_t not_finite = 0;  ///< groups that held a NaN or an infinity; in an integer format the whole group is NaN

  /// True if no group is one of those.
  constexpr bool kept() const { return vanished == 0 && cut == 0 && not_finite == 0; }
  /// Adds the counts of another report.
  constexpr void add(const conversion& other) {
    groups += other.groups;
    vanished += other.vanished;
    cut += other.cut;
    not_finite += other.not_finite;
  }
};

/// Compares the numbers of one group before and after its conversion.
template <class T>
class converted_group {
 public:
  /// `step`: how far apart a number and its image may be in a group whose scale or minimum is at its limit; 0 in
  /// others.
  constexpr explicit converted_group(T step = T(0)) : step_(step) {}

  /// One number of the group: before, and after.
  constexpr void add(T given, T kept) {
    given_ = given_ || given != T(0);
    kept_ = kept_ || kept != T(0);
    if (!math::isfinite(given))
      not_finite_ = true;
    else if (!math::isfinite(kept) || (step_ > T(0) && math::abs(kept - given) > step_))
      cut_ = true;
  }
  /// Enters the group into the report.
  constexpr void count(conversion& c) const {
    ++c.groups;
    c.not_finite += not_finite_;
    c.cut += cut_ && !not_finite_;
    c.vanished += given_ && !kept_;
  }

 private:
  T step_;
  bool given_ = false, kept_ = false, cut_ = false, not_finite_ = false;
};

/// How far rounding moves a number at most, of groups whose numbers may have been cut off: the scale, if it or the
/// minimum is at half precision's limit; what a plain format says that ends in a number (F::farthest).
template <class F, class View>
constexpr typename F::compute limit_of_group(const View& m, std::size_t row, std::size_t group) {
  if constexpr (quantised_format<F> && requires { F::scale_index(m, row, group); }) {
    const std::size_t g = F::scale_index(m, row, group);
    bool at_limit = F::scale_format::at_limit(m.scales[g]);
    if constexpr (F::has_min && !F::compact) at_limit = at_limit || F::scale_format::at_limit(m.minima[g]);
    if (at_limit) return math::abs(F::scale_format::scale(m.scales[g]));
  }
  if constexpr (requires { F::farthest; }) return F::farthest;
  return 0;
}

/// The same of a group of integers whose scale is a number, and as its minimum below the limit: none of its numbers is
/// cut off, and one that is not zero says that it has not vanished.
template <class F, class View, class T>
constexpr void inspect_group(const View& m, std::size_t row, std::size_t first, std::size_t n, const T* given,
                             conversion& c) {
  constexpr std::size_t piece = 4;
  const bool finite = math::all_finite(n, given);
  bool was = false, is = false;
  for (std::size_t i = 0; i < n && !(was && is) && finite; i += piece) {
    T kept[piece]{};
    const std::size_t size = smaller(piece, n - i);
    F::decode(m, row, first + i, size, kept);
    for (std::size_t j = 0; j < size; ++j) {
      was = was || given[i + j] != T(0);
      is = is || kept[j] != T(0);
    }
  }
  ++c.groups;
  c.not_finite += !finite;
  c.vanished += finite && was && !is;
}

/// Compares a row that was encoded with what it was made from.
template <format F>
constexpr void inspect_row(const matrix<F>& m, std::size_t row, const typename F::compute* given, conversion& c) {
  using T = typename F::compute;
  constexpr std::size_t piece = 64;
  if constexpr (mixed_format<F>)
    return F::with_row(m, row, [&](const auto& one, std::size_t r) {
      inspect_row<typename std::remove_cvref_t<decltype(one)>::format>(one, r, given, c);
    });
  std::size_t size = m.cols;
  if constexpr (quantised_format<F>) size = F::group_size(m.cols);
  for (std::size_t first = 0; first < m.cols; first += size) {
    const std::size_t end = smaller(first + size, m.cols);
    const T limit = limit_of_group<F>(m, row, first / size);
    // What this gains is time; where code is what is dear, as on devices and web pages, one way is enough.
    if constexpr (CTLM_FIT_WIDTH > 0 && quantised_format<F> && requires { F::scale_index(m, row, first); })
      if (limit == T(0) && math::isfinite(F::scale_format::scale(m.scales[F::scale_index(m, row, first / size)]))) {
        inspect_group<F>(m, row, first, end - first, given + first, c);
        continue;
      }
    converted_group<T> group(limit);
    for (std::size_t i = first; i < end; i += piece) {
      const std::size_t n = smaller(piece, end - i);
      T kept[piece]{};
      F::decode(m, row, i, n, kept);
      for (std::size_t j = 0; j < n; ++j) group.add(given[i + j], kept[j]);
    }
    group.count(c);
  }
}

}}  // namespace ctlm
