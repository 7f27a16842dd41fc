// SPDX-License-Identifier: MIT
// ctlm: the layout of integer weights: sixteen rows side by side. One vector register then holds four numbers of each
// of the sixteen rows, and each lane of it sums up a row of its own: lanes never have to be added to each other.
//
// Sixteen rows make a stripe, 32 columns of it a tile; a stripe's tiles follow each other, so that a matrix x vector
// reads memory in order. A tile is eight quads, of four consecutive numbers of each of the sixteen rows: 64 codes each.
// With 8 bits a quad is 64 bytes; with 4 bits 64 bytes hold quads v and v + 4; with 2 bits v, v + 2, v + 4 and v + 6.
// Codes of 3, 5 and 6 bits have a low and a high part (packed_codes.hpp): a tile then is the low parts of all its
// quads, followed by the high parts, each laid out as codes of so many bits are. With 1 bit 64 bytes hold all eight
// quads, quad v in bit v. Codes are stored unsigned. A stripe's scales, and minima, lie in rows of sixteen, one row for
// each group. Rows are padded to whole stripes, columns to whole tiles; matrix_bytes and weight_bytes include that.
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows of a stripe, and consecutive numbers of a row that lie side by side.
inline constexpr std::size_t stripe_rows = 16;
inline constexpr std::size_t quad = 4;

/// The layout described above, for the integer format F.
template <class F>
struct interleaved : coded_rows<F, interleaved<F>> {
  using numbers = F;  // the format proper: which codes there are, how they are grouped
  using element = std::uint8_t;
  using compute = float;
  static constexpr const char* name = F::name;
  static constexpr std::size_t bits = F::bits, group = F::group;
  static constexpr bool has_min = F::has_min, compact = F::compact;
  using scale_format = typename F::scale_format;
  using scale_element = typename F::scale_element;
  static constexpr std::size_t low_bits = low_bits_of(bits), high_bits = high_bits_of(bits);
  static constexpr std::size_t planes = 8 / low_bits;                             // low parts in a byte
  static constexpr std::size_t vector = stripe_rows * quad;                       // bytes that belong together
  static constexpr std::size_t vectors = code_chunk / quad / planes;              // of a tile's low parts
  static constexpr std::size_t high_vectors = high_bits * code_chunk / quad / 8;  // of its high parts
  static constexpr std::size_t low_bytes = vectors * vector;
  static constexpr std::size_t tile_bytes = low_bytes + high_vectors * vector;
  /// What is added to a code to store it.
  static constexpr int offset = F::lowest < 0 ? 128 : 0;

  static constexpr std::size_t groups(std::size_t cols) { return F::groups(cols); }
  static constexpr std::size_t group_size(std::size_t cols) { return F::group_size(cols); }
  static constexpr std::size_t tiles(std::size_t cols) { return ceil_div(cols, code_chunk); }
  static constexpr std::size_t stripe_bytes(std::size_t cols) { return tiles(cols) * tile_bytes; }

  template <bool read_only>
  struct view {
    using format = interleaved;
    template <class T>
    using pointer = std::conditional_t<read_only, const T*, T*>;
    pointer<std::uint8_t> codes = nullptr;    // [stripes][tiles][vectors, high_vectors][vector]
    pointer<scale_element> scales = nullptr;  // [stripes][groups][stripe_rows]
    pointer<scale_element> minima = nullptr;  // the same, or zero points; not of symmetric groups
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t period = 1;  // rows of each of the matrices stacked here: each begins with a stripe of its own

    constexpr operator view<true>() const requires(!read_only) { return {codes, scales, minima, rows, cols, period}; }
    /// Whole matrices of the stack.
    constexpr view slice(std::size_t first, std::size_t count) const {
      const std::size_t stripe = first / period * ceil_div(period, stripe_rows);
      const std::size_t g = stripe * groups(cols) * stripe_rows;
      return {codes + stripe * stripe_bytes(cols), scales + g, has_min ? minima + g : minima, count, cols, period};
    }
    constexpr std::size_t stripes() const { return rows / period * ceil_div(period, stripe_rows); }
  };

  template <class View, class Visit>
  static constexpr void for_each_part(View& m, Visit&& f) {
    const std::size_t scales = m.stripes() * groups(m.cols) * stripe_rows * sizeof(scale_element);
    f(m.codes, m.stripes() * stripe_bytes(m.cols));
    f(m.scales, scales);
    if constexpr (has_min) f(m.minima, scales);
  }

  /// A stack of matrices of `period` rows each; one matrix by default.
  template <class A>
  static constexpr auto place(A& a, std::size_t rows, std::size_t cols, std::size_t period = 0) {
    if (period == 0) period = larger(1, rows);
    const std::size_t stripes = rows / period * ceil_div(period, stripe_rows);
    auto* codes = a.template allocate<std::uint8_t>(stripes * stripe_bytes(cols));
    auto* scales = a.template allocate<scale_element>(stripes * groups(cols) * stripe_rows);
    decltype(scales) minima = nullptr;
    if constexpr (has_min) minima = a.template allocate<scale_element>(stripes * groups(cols) * stripe_rows);
    return view<std::is_const_v<std::remove_pointer_t<decltype(codes)>>>{codes, scales, minima, rows, cols, period};
  }

  template <class View>
  static constexpr int get(const View& m, std::size_t row, std::size_t i) {
    int code = (m.codes[byte_index<low>(m, row, i)] >> low::shift(i)) & low::mask;
    if constexpr (high_bits > 0)
      code |= ((m.codes[byte_index<high>(m, row, i)] >> high::shift(i)) & high::mask) << low_bits;
    return code - offset;
  }
  template <class View>
  static constexpr void set(const View& m, std::size_t row, std::size_t i, int code) {
    low::set(m.codes[byte_index<low>(m, row, i)], i, low_of(code + offset));
    if constexpr (high_bits > 0) high::set(m.codes[byte_index<high>(m, row, i)], i, (code + offset) >> low_bits);
  }
  template <class View>
  static constexpr void set_chunk(const View& m, std::size_t row, std::size_t i, const int* codes) {
    low::set_chunk(m.codes + byte_index<low>(m, row, i), [&](std::size_t j) { return low_of(codes[j] + offset); });
    if constexpr (high_bits > 0)
      high::set_chunk(m.codes + byte_index<high>(m, row, i),
                      [&](std::size_t j) { return (codes[j] + offset) >> low_bits; });
  }
#if CTLM_FIT_WIDTH > 0
  /// The same of codes that have the offset already, four at a time.
  template <class View>
  static CTLM_INLINE void set_bytes(const View& m, std::size_t row, std::size_t i, const std::uint8_t* codes) {
    std::uint32_t fours[code_chunk / quad];
    __builtin_memcpy(fours, codes, sizeof fours);
    low::set_fours(m.codes + byte_index<low>(m, row, i), fours, 0);
    if constexpr (high_bits > 0) high::set_fours(m.codes + byte_index<high>(m, row, i), fours, low_bits);
  }
#endif
  template <class View>
  static constexpr std::size_t scale_index(const View& m, std::size_t row, std::size_t g) {
    return (stripe_of(m, row) * groups(m.cols) + g) * stripe_rows + row % m.period % stripe_rows;
  }

 private:
  /// One part of a tile's codes, of Bits bits each; its vectors begin First bytes behind the tile's.
  template <std::size_t Bits, std::size_t First>
  struct part {
    static constexpr std::size_t planes = 8 / Bits, vectors = code_chunk / quad / planes, first = First;
    static constexpr int mask = (1 << Bits) - 1;

    static constexpr std::size_t shift(std::size_t i) { return i % code_chunk / quad / vectors * Bits; }
    static constexpr void set(std::uint8_t& byte, std::size_t i, int code) {
      byte = static_cast<std::uint8_t>((byte & ~(mask << shift(i))) | (code << shift(i)));
    }
    /// code(j): this part of number j of a chunk.
    template <class Code>
    static constexpr void set_chunk(std::uint8_t* to, Code&& code) {
      for (std::size_t v = 0; v < vectors; ++v, to += vector)
        for (std::size_t q = 0; q < quad; ++q) {
          unsigned byte = 0;
          for (std::size_t p = 0; p < planes; ++p)
            byte |= static_cast<unsigned>(code((p * vectors + v) * quad + q)) << (p * Bits);
          to[q] = static_cast<std::uint8_t>(byte);
        }
    }
#if CTLM_FIT_WIDTH > 0
    /// Of codes that are four in an integer, the bits from `from` on.
    static CTLM_INLINE void set_fours(std::uint8_t* to, const std::uint32_t* fours, std::size_t from) {
      constexpr std::uint32_t masks = static_cast<std::uint32_t>(mask) * 0x01010101u;
      for (std::size_t v = 0; v < vectors; ++v) {
        std::uint32_t four = 0;
        for (std::size_t p = 0; p < planes; ++p) four |= ((fours[p * vectors + v] >> from) & masks) << (p * Bits);
        __builtin_memcpy(to + v * vector, &four, sizeof four);
      }
    }
#endif
  };
  using low = part<low_bits, 0>;
  using high = part<high_bits == 0 ? 1 : high_bits, low_bytes>;
  static constexpr int low_of(int stored) { return high_bits == 0 ? stored : stored & low::mask; }

  template <class View>
  static constexpr std::size_t stripe_of(const View& m, std::size_t row) {
    return row / m.period * ceil_div(m.period, stripe_rows) + row % m.period / stripe_rows;
  }
  template <class Part, class View>
  static constexpr std::size_t byte_index(const View& m, std::size_t row, std::size_t i) {
    const std::size_t v = i % code_chunk / quad % Part::vectors;
    return stripe_of(m, row) * stripe_bytes(m.cols) + i / code_chunk * tile_bytes + Part::first + v * vector +
           row % m.period % stripe_rows * quad + i % quad;
  }
};

/// How the weights of a format are stored.
template <class F>
struct stored_weights {
  using type = F;
};
template <quantised_format F>
struct stored_weights<F> {
  using type = interleaved<F>;
};
template <class F>
struct stored_weights<interleaved<F>> {
  using type = interleaved<F>;
};
/// How the weights of format F are stored: interleaved for integers, F itself for others.
template <class F>
using stored = typename stored_weights<F>::type;

}}  // namespace ctlm
