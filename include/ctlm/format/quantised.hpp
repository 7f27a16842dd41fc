// SPDX-License-Identifier: MIT
// ctlm: what the integer formats have in common.
//
// A row is cut into groups of `group` numbers (the last may be shorter; `per_channel` makes the whole row one group).
// Each group has a scale s in half precision, and an asymmetric group a minimum m as well; a compact group has a scale
// and a zero point z of 8 bits each (group_scale.hpp):
//   symmetric    w = s * (code - zero)
//   asymmetric   w = s * code + m
//   compact      w = s * (code - z)
// What a group cannot hold:
//   NaN, infinity    The whole group becomes NaN: its scale is one, and so is everything that is computed from it.
//   large numbers    A scale and a minimum are at most 65504, half precision's largest. Symmetric groups are cut off at
//                    65504 * (highest code - zero): 127 * 65504 with 8 bits. An asymmetric group reaches from its
//                    minimum, at most 65504 in magnitude, as far as 65504 * (highest code - lowest).
//   small numbers    A scale is at least 2^-24, half precision's least. Numbers below half of it become zero: with
//                    8 and 4 bits those below 2^-25, about 3e-8; with 2 bits, which have no zero, all numbers of a
//                    group become zero where that is nearer to them than 2^-25. Of an asymmetric group that is true
//                    of the distances from its minimum. A compact group's scale is at least 2^-17, and at most 61440.
// Conversions of whole models count such groups (model/conversion.hpp).
//
// This layout keeps rows apart, for what is written row by row, such as a KV cache; weights are interleaved
// (interleaved.hpp). Codes of fewer than 8 bits are packed in chunks of 32 (packed_codes.hpp), to which rows are
// padded, whatever their length.
#pragma once

#include "fit.hpp"
#include "format.hpp"
#include "packed_codes.hpp"

#include <limits>

namespace ctlm { inline namespace CTLM_ABI {

/// Group size: one scale for a whole row.
inline constexpr std::size_t per_channel = 0;

/// Encoding and decoding of rows, for any Layout that knows where codes and scales lie:
/// get(view, row, i), set(view, row, i, code), set_chunk(view, row, i, codes), of a whole chunk that begins at i, and
/// scale_index(view, row, group).
template <class F, class Layout>
struct coded_rows {
  template <class View>
  static constexpr void decode(const View& m, std::size_t row, std::size_t first, std::size_t n, float* dst) {
    const std::size_t size = F::group_size(m.cols);
    for (std::size_t i = first; i < first + n;) {
      const std::size_t g = Layout::scale_index(m, row, i / size);
      const std::size_t end = smaller((i / size + 1) * size, first + n);
      const float scale = F::scale_format::scale(m.scales[g]), base = base_of(m, g, scale);
      for (; i < end; ++i) dst[i - first] = static_cast<float>(Layout::get(m, row, i)) * scale + base;
    }
  }

  /// The number whose code is 0, in group g, whose scale is given.
  template <class View>
  static constexpr float base_of(const View& m, std::size_t g, float scale) {
    if constexpr (F::has_min)
      return F::scale_format::base(m.minima[g], scale);
    else
      return -F::zero * scale;
  }

  /// Encodes a row with the scales (and minima) that the view already holds; the scale of a group with a NaN or an
  /// infinity becomes NaN.
  template <class View>
  static constexpr void round(const View& m, std::size_t row, const float* src) {
    const std::size_t size = F::group_size(m.cols);
    for (std::size_t i = 0; i < m.cols; i += size) {
      const std::size_t g = Layout::scale_index(m, row, i / size);
      const std::size_t n = smaller(size, m.cols - i);
      const float scale = F::scale_format::scale(m.scales[g]);
      write(m, row, i, n, src + i, affine<F>(scale, F::has_min ? base_of(m, g, scale) : 0.0f));
      if (!math::all_finite(n, src + i)) m.scales[g] = F::scale_format::of(affine<F>::not_finite().scale);
    }
  }

  /// Encodes a row. `importance`, if given, has the mean square of each column's input: how much errors in that column
  /// count (fit.hpp).
  template <class View>
  static constexpr void encode(const View& m, std::size_t row, const float* src, const float* importance = nullptr) {
    const std::size_t size = F::group_size(m.cols);
    std::size_t i = 0;
#if CTLM_FIT_WIDTH > 0
    if (!std::is_constant_evaluated() && size > 0 && size % fit_lanes == 0)
      i = encode_together(m, row, src, importance);
#endif
    for (; i < m.cols; i += size) {
      const std::size_t g = Layout::scale_index(m, row, i / size);
      const std::size_t n = smaller(size, m.cols - i);
      const affine<F> a = best_affine<F>(src + i, n, importance == nullptr ? nullptr : importance + i);
      m.scales[g] = F::scale_format::of(a.scale);
      if constexpr (F::has_min) m.minima[g] = F::scale_format::of_base(a.base, a.scale);
      write(m, row, i, n, src + i, a);
    }
  }

 private:
#if CTLM_FIT_WIDTH > 0
  /// Encodes the whole groups of a row, several at a time, with the same bits; returns how many numbers these are.
  template <class View>
  static std::size_t encode_together(const View& m, std::size_t row, const float* src, const float* importance) {
    const std::size_t size = F::group_size(m.cols), whole = m.cols / size;
    affine<F> best[fit_detail::fit_batch];
    for (std::size_t first = 0; first < whole; first += fit_detail::fit_batch) {
      const std::size_t count = smaller(fit_detail::fit_batch, whole - first), at = first * size;
      fit_detail::fit_together(src + at, size, count, importance == nullptr ? nullptr : importance + at, best);
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t g = Layout::scale_index(m, row, first + k), i = at + k * size;
        m.scales[g] = F::scale_format::of(best[k].scale);
        if constexpr (F::has_min) m.minima[g] = F::scale_format::of_base(best[k].base, best[k].scale);
        write(m, row, i, size, src + i, best[k]);
      }
    }
    return whole * size;
  }
#endif
  /// Writes the codes of numbers [first, first + n) of a row, where `src` has them.
  template <class View>
  static constexpr void write(const View& m, std::size_t row, std::size_t first, std::size_t n, const float* src,
                              const affine<F>& a) {
    for (std::size_t i = 0; i < n;) {
      const std::size_t count = smaller(code_chunk - (first + i) % code_chunk, n - i);
#if CTLM_FIT_WIDTH > 0
      if constexpr (requires { Layout::set_bytes(m, row, i, nullptr); })
        if (count == code_chunk && !std::is_constant_evaluated()) {
          std::uint8_t bytes[code_chunk];
          fit_detail::write_codes(a, src + i, code_chunk, Layout::offset, bytes);
          Layout::set_bytes(m, row, first + i, bytes);
          i += count;
          continue;
        }
#endif
      int codes[code_chunk]{};
      if (count == code_chunk) {  // of a known length: a loop that becomes vectors
        for (std::size_t j = 0; j < code_chunk; ++j) codes[j] = a.code(src[i + j]);
        Layout::set_chunk(m, row, first + i, codes);
      } else {
        for (std::size_t j = 0; j < count; ++j) Layout::set(m, row, first + i + j, a.code(src[i + j]));
      }
      i += count;
    }
  }
};

/// F supplies code (the element type), name, what affine<F> asks for, get_code/set_code of one code in a packed row,
/// and `searched`: whether a group's scale is searched for (fit.hpp), and then which are tried: `ends`, the codes,
/// counted from zero, on which the farthest number of a symmetric group falls; `cuts`, which parts of an asymmetric
/// group's width are cut off at its ends.
template <class F, class Code, std::size_t Bits, std::size_t Group, range Range>
struct quantised : coded_rows<F, quantised<F, Code, Bits, Group, Range>> {
  using element = Code;
  using compute = float;
  static constexpr std::size_t bits = Bits;
  static constexpr std::size_t group = Group;
  static constexpr bool has_min = Range != range::symmetric;
  static constexpr bool compact = Range == range::compact;
  using scale_format = typename scales_of_range<Range, Bits>::type;
  using scale_element = typename scale_format::element;

  static constexpr std::size_t groups(std::size_t cols) { return Group == per_channel ? 1 : ceil_div(cols, Group); }
  static constexpr std::size_t group_size(std::size_t cols) { return Group == per_channel ? cols : Group; }
  static constexpr std::size_t row_codes(std::size_t cols) {
    return Bits == 8 ? cols : ceil_div(cols, code_chunk) * code_chunk * Bits / 8;
  }

  template <bool read_only>
  struct view {
    using format = F;
    template <class T>
    using pointer = std::conditional_t<read_only, const T*, T*>;
    pointer<Code> codes = nullptr;            // [rows][row_codes]
    pointer<scale_element> scales = nullptr;  // [rows][groups]
    pointer<scale_element> minima = nullptr;  // [rows][groups], or zero points; not of symmetric groups
    std::size_t rows = 0;
    std::size_t cols = 0;

    constexpr operator view<true>() const requires(!read_only) { return {codes, scales, minima, rows, cols}; }
    constexpr view slice(std::size_t first, std::size_t count) const {
      const std::size_t g = first * groups(cols);
      return {codes + first * row_codes(cols), scales + g, has_min ? minima + g : minima, count, cols};
    }
  };

  /// f(pointer, bytes) for every stretch of memory that a view points to.
  template <class View, class Visit>
  static constexpr void for_each_part(View& m, Visit&& f) {
    f(m.codes, m.rows * row_codes(m.cols) * sizeof(Code));
    f(m.scales, m.rows * groups(m.cols) * sizeof(scale_element));
    if constexpr (has_min) f(m.minima, m.rows * groups(m.cols) * sizeof(scale_element));
  }

  template <class A>
  static constexpr auto place(A& a, std::size_t rows, std::size_t cols) {
    auto* codes = a.template allocate<Code>(rows * row_codes(cols));
    auto* scales = a.template allocate<scale_element>(rows * groups(cols));
    decltype(scales) minima = nullptr;
    if constexpr (has_min) minima = a.template allocate<scale_element>(rows * groups(cols));
    return view<std::is_const_v<std::remove_pointer_t<decltype(codes)>>>{codes, scales, minima, rows, cols};
  }

  template <class View>
  static constexpr int get(const View& m, std::size_t row, std::size_t i) {
    return F::get_code(m.codes + row * row_codes(m.cols), i);
  }
  template <class View>
  static constexpr void set(const View& m, std::size_t row, std::size_t i, int code) {
    F::set_code(m.codes + row * row_codes(m.cols), i, code);
  }
  template <class View>
  static constexpr void set_chunk(const View& m, std::size_t row, std::size_t i, const int* codes) {
    for (std::size_t j = 0; j < code_chunk; ++j) set(m, row, i + j, codes[j]);
  }
  template <class View>
  static constexpr std::size_t scale_index(const View& m, std::size_t row, std::size_t g) {
    return row * groups(m.cols) + g;
  }
};

}}  // namespace ctlm
