// SPDX-License-Identifier: MIT
// ctlm: what the integer formats have in common.
//
// A row is cut into groups of `group` numbers (the last may be shorter; `per_channel` makes the whole row one group).
// Each group has a scale s in half precision, and an asymmetric group a minimum m as well:
//   symmetric    w = s * (code - zero)
//   asymmetric   w = s * code + m
// Codes are laid out in planes: a byte of int4 holds numbers j and j+16 of a block of 32, a byte of int2 numbers
// j, j+8, j+16 and j+24, so that one vector load and a shift yield consecutive numbers. Rows of int4 and int2 are
// padded to whole blocks, whatever their length.
#pragma once

#include "float16.hpp"
#include "format.hpp"

#include <limits>

namespace ctlm::inline CTLM_ABI {

/// Group size: one scale for a whole row.
inline constexpr std::size_t per_channel = 0;

enum class range : std::uint8_t { symmetric, asymmetric };
inline constexpr range symmetric = range::symmetric;
inline constexpr range asymmetric = range::asymmetric;

/// Numbers in a block of packed codes.
inline constexpr std::size_t code_block = 32;

/// F supplies code (the element type), name, lowest, highest (codes), zero (the code, possibly between two, that means
/// 0 in a symmetric group), clips (how many clip ratios encode tries), and get/set of one code in a packed row.
template <class F, class Code, std::size_t Bits, std::size_t Group, range Range>
struct quantised {
  using element = Code;
  using compute = float;
  static constexpr std::size_t bits = Bits;
  static constexpr std::size_t group = Group;
  static constexpr bool has_min = Range == range::asymmetric;

  static constexpr std::size_t groups(std::size_t cols) { return Group == per_channel ? 1 : ceil_div(cols, Group); }
  static constexpr std::size_t group_size(std::size_t cols) { return Group == per_channel ? cols : Group; }
  static constexpr std::size_t row_codes(std::size_t cols) {
    return Bits == 8 ? cols : ceil_div(cols, code_block) * code_block * Bits / 8;
  }

  template <bool read_only>
  struct view {
    template <class T>
    using pointer = std::conditional_t<read_only, const T*, T*>;
    pointer<Code> codes = nullptr;            // [rows][row_codes]
    pointer<std::uint16_t> scales = nullptr;  // [rows][groups], half precision
    pointer<std::uint16_t> minima = nullptr;  // [rows][groups], half precision; asymmetric only
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
    f(m.scales, m.rows * groups(m.cols) * sizeof(std::uint16_t));
    if constexpr (has_min) f(m.minima, m.rows * groups(m.cols) * sizeof(std::uint16_t));
  }

  template <class A>
  static constexpr auto place(A& a, std::size_t rows, std::size_t cols) {
    auto* codes = a.template allocate<Code>(rows * row_codes(cols));
    auto* scales = a.template allocate<std::uint16_t>(rows * groups(cols));
    decltype(scales) minima = nullptr;
    if constexpr (has_min) minima = a.template allocate<std::uint16_t>(rows * groups(cols));
    return view<std::is_const_v<std::remove_pointer_t<decltype(codes)>>>{codes, scales, minima, rows, cols};
  }

  static constexpr void decode(const view<true>& m, std::size_t row, std::size_t first, std::size_t n, float* dst) {
    const std::size_t size = group_size(m.cols);
    const Code* codes = m.codes + row * row_codes(m.cols);
    for (std::size_t i = first; i < first + n;) {
      const std::size_t g = row * groups(m.cols) + i / size;
      const std::size_t end = smaller((i / size + 1) * size, first + n);
      const float scale = half_to_float(m.scales[g]);
      const float base = has_min ? half_to_float(m.minima[g]) : -F::zero * scale;
      for (; i < end; ++i) dst[i - first] = static_cast<float>(F::get(codes, i)) * scale + base;
    }
  }

  /// Encodes a row with the scales (and minima) that the view already holds.
  static constexpr void round(const view<false>& m, std::size_t row, const float* src) {
    const std::size_t size = group_size(m.cols);
    Code* codes = m.codes + row * row_codes(m.cols);
    for (std::size_t i = 0; i < m.cols; i += size) {
      const std::size_t g = row * groups(m.cols) + i / size;
      const affine a(half_to_float(m.scales[g]), has_min ? half_to_float(m.minima[g]) : 0.0f);
      for (std::size_t j = 0, n = smaller(size, m.cols - i); j < n; ++j) F::set(codes, i + j, a.code(src[i + j]));
    }
  }

  static constexpr void encode(const view<false>& m, std::size_t row, const float* src) {
    const std::size_t size = group_size(m.cols);
    Code* codes = m.codes + row * row_codes(m.cols);
    for (std::size_t i = 0; i < m.cols; i += size) {
      const std::size_t g = row * groups(m.cols) + i / size;
      const std::size_t n = smaller(size, m.cols - i);
      const affine a = best_affine(src + i, n);
      m.scales[g] = float_to_half(a.scale);
      if constexpr (has_min) m.minima[g] = float_to_half(a.base);
      for (std::size_t j = 0; j < n; ++j) F::set(codes, i + j, a.code(src[i + j]));
    }
  }

 private:
  /// w = scale * code + base, both rounded to what is stored.
  struct affine {
    float scale = 0, base = 0, inverse = 0;

    constexpr affine() = default;
    constexpr affine(float s, float b) {
      scale = half_to_float(float_to_half(clamp_to_half(s)));
      base = has_min ? half_to_float(float_to_half(clamp_to_half(b))) : -F::zero * scale;
      inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    }
    constexpr int code(float w) const {
      const float c = (w - base) * inverse;
      if (!(c > static_cast<float>(F::lowest))) return F::lowest;
      if (c > static_cast<float>(F::highest)) return F::highest;
      return static_cast<int>(c + (c < 0.0f ? -0.5f : 0.5f));
    }
    constexpr float error(const float* w, std::size_t n) const {
      float sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const float d = static_cast<float>(code(w[i])) * scale + base - w[i];
        sum += d * d;
      }
      return sum;
    }
  };
  static constexpr float clamp_to_half(float x) { return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x; }

  /// Tries clip ratios from 1 downwards and keeps the one with the least squared error: cutting off a few extreme
  /// weights buys finer steps for all the others.
  static constexpr affine best_affine(const float* w, std::size_t n) {
    float low = w[0], high = w[0];
    for (std::size_t i = 1; i < n; ++i) {
      low = w[i] < low ? w[i] : low;
      high = w[i] > high ? w[i] : high;
    }
    affine best = clipped(low, high, 1.0f);
    if constexpr (F::clips > 1) {
      float least = best.error(w, n);
      auto offer = [&](const affine& a) {
        const float e = a.error(w, n);
        if (e < least) {
          least = e;
          best = a;
        }
      };
      for (int i = 1; i < F::clips; ++i) offer(clipped(low, high, 1.0f - 0.05f * static_cast<float>(i)));
      if constexpr (!has_min) {  // the range of codes has one more step below zero: let the extreme weight use it
        const float extreme = -low > high ? low : high;
        for (int i = 0; i < F::clips; ++i)
          offer(
              affine((1.0f - 0.05f * static_cast<float>(i)) * extreme / (static_cast<float>(F::lowest) - F::zero), 0));
      }
    }
    return best;
  }
  static constexpr affine clipped(float low, float high, float ratio) {
    constexpr float steps = static_cast<float>(F::highest - F::lowest);
    if constexpr (has_min) {
      const float scale = ratio * (high - low) / steps;
      const float start = low + 0.5f * (1.0f - ratio) * (high - low);
      return affine(scale, start - scale * static_cast<float>(F::lowest));
    } else {
      const float extreme = -low > high ? -low : high;
      return affine(ratio * extreme / (static_cast<float>(F::highest) - F::zero), 0);
    }
  }
};

}  // namespace ctlm::inline CTLM_ABI
