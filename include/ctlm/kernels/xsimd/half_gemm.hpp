// SPDX-License-Identifier: MIT
// ctlm: the pieces of a matrix product whose operands are packed as tiles of 16-bit numbers, for any instruction that
// multiplies such tiles.
//
// Both operands are packed, rounded on the way, strip by strip and group by group as in xsimd/gemm.hpp. Tiles says how:
//   tile                         lines (of either operand), depth (numbers of a line that are added up), numbers, and
//                                the columns of a strip at most
//   pack<Right>(x, lines, depth, to)    the tiles of the first lines one after the other, then those of the next
//   multiply<Rows, Columns>(...)        a block of c from Rows and Columns tiles, of which `steps` are added up
// Every sum is kept in single precision and follows the order of k, so that no bit depends on how c is cut into pieces.
#pragma once

#include "../../backend/products_in.hpp"
#include "../../core/types.hpp"
#include "../../tensor/strided.hpp"

#include <utility>

namespace ctlm { inline namespace CTLM_ABI {

/// An operand as packing sees it: number d of line i is data[i * line + d * step].
template <class S>
struct half_operand {
  const S* data;
  std::size_t line, step;

  static half_operand rows_of(strided<S> x) { return {x.data, x.row, x.col}; }
  static half_operand columns_of(strided<S> x) { return {x.data, x.col, x.row}; }
  half_operand from(std::size_t i, std::size_t d) const { return {data + i * line + d * step, line, step}; }
};

/// The sizes of the pieces that such a product is computed in.
template <class Tile>
struct half_shape {
  static constexpr std::size_t block = 2 * Tile::lines;  ///< rows and columns of a block of c
  static constexpr std::size_t max_depth = 512;          ///< numbers that are added up at a time
  static constexpr std::size_t group_rows = 4 * block;   ///< rows of a that are packed at a time

  static constexpr std::size_t even(std::size_t n, std::size_t most) {
    return ceil_div(n, larger(1, ceil_div(n, most)));
  }
  static constexpr std::size_t depth(std::size_t k) { return round_up(even(k, max_depth), Tile::depth); }
  static constexpr std::size_t columns(std::size_t n) { return round_up(even(n, Tile::max_columns), block); }
  /// Numbers in single precision that gemm needs.
  static constexpr std::size_t workspace(std::size_t m, std::size_t n, std::size_t k) {
    const std::size_t lines = smaller(round_up(m, block), group_rows) + smaller(round_up(n, block), Tile::max_columns);
    return lines * smaller(round_up(k, Tile::depth), max_depth) / 2;
  }
};

/// Multiplies packed tiles of a group of rows with those of a strip, block by block.
template <class Tiles>
void multiply_half_tiles(const std::uint16_t* a, const std::uint16_t* b, std::size_t rows, std::size_t columns,
                         std::size_t steps, float* c, std::size_t ldc, bool accumulate) {
  using tile = typename Tiles::tile;
  constexpr std::size_t lines = tile::lines, block = half_shape<tile>::block;
  auto multiply = [&]<std::size_t R, std::size_t C>(std::index_sequence<R, C>, std::size_t i, std::size_t j) {
    Tiles::template multiply<R, C>(a + i * steps * tile::depth, b + j * steps * tile::depth, steps, c + i * ldc + j,
                                   ldc, smaller(block, rows - i), smaller(block, columns - j), accumulate);
  };
  for (std::size_t i = 0; i < rows; i += block)
    for (std::size_t j = 0; j < columns; j += block) {
      const bool narrow = columns - j <= lines;
      if (rows - i > lines)
        narrow ? multiply(std::index_sequence<2, 1>{}, i, j) : multiply(std::index_sequence<2, 2>{}, i, j);
      else
        narrow ? multiply(std::index_sequence<1, 1>{}, i, j) : multiply(std::index_sequence<1, 2>{}, i, j);
    }
}

/// The product in tiles: `workspace` is that of gemm.
template <class Tiles, class Left, class Right>
void half_gemm(std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b, float* c,
               std::size_t ldc, bool accumulate, std::uint16_t* workspace) {
  using tile = typename Tiles::tile;
  using shape = half_shape<tile>;
  const std::size_t max_depth = shape::depth(k), max_columns = shape::columns(n);
  constexpr std::size_t group = shape::group_rows;
  for (std::size_t j = 0; j < n; j += max_columns)
    for (std::size_t p = 0; p < k; p += max_depth) {
      const std::size_t depth = smaller(max_depth, k - p), columns = smaller(max_columns, n - j);
      const std::size_t steps = ceil_div(depth, tile::depth);
      std::uint16_t* const rows_packed = workspace + round_up(columns, shape::block) * steps * tile::depth;
      Tiles::template pack<true>(half_operand<Right>::columns_of(b.from(p, j)), columns, depth, workspace);
      for (std::size_t i = 0; i < m; i += group) {
        const std::size_t rows = smaller(group, m - i);
        Tiles::template pack<false>(half_operand<Left>::rows_of(a.from(i, p)), rows, depth, rows_packed);
        multiply_half_tiles<Tiles>(rows_packed, workspace, rows, columns, steps, c + i * ldc + j, ldc,
                                   accumulate || p > 0);
      }
    }
}

/// Of a backend that multiplies in such tiles: packing is a larger part of these products than of others, and fewer
/// pieces pack less. Of many workers one is always behind, and all wait for it: there smaller pieces, which others can
/// take, gain more than their packing costs.
constexpr std::size_t half_pieces_per_worker(std::size_t workers) { return workers <= 4 ? 1 : 4; }

}}  // namespace ctlm
