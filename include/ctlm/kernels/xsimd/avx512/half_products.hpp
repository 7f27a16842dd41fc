// SPDX-License-Identifier: MIT
// ctlm: matrix products of operands rounded to bf16, on processors that multiply such numbers.
//
// Both operands are packed as tiles (half_tile.hpp), rounded on the way, strip by strip and group by group as in
// xsimd/gemm.hpp. AMX multiplies the tiles where the process may use it, vdpbf16ps otherwise. Every sum is kept in
// single precision and follows the order of k, so that no bit depends on how c is cut into pieces.
#pragma once

#include "../../portable/half_products.hpp"
#include "../amx/half_tile.hpp"
#include "half_tile.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// The sizes of the pieces that such a product is computed in.
struct half_shape {
  static constexpr std::size_t block = 2 * half_tile::lines;  ///< rows and columns of a block of c
  static constexpr std::size_t max_depth = 512;               ///< numbers that are added up at a time
  static constexpr std::size_t max_columns = 768;             ///< of a strip of b, a third of the second cache
  static constexpr std::size_t group_rows = 4 * block;        ///< rows of a that are packed at a time

  static constexpr std::size_t even(std::size_t n, std::size_t most) {
    return ceil_div(n, larger(1, ceil_div(n, most)));
  }
  static constexpr std::size_t depth(std::size_t k) { return round_up(even(k, max_depth), half_tile::depth); }
  static constexpr std::size_t columns(std::size_t n) { return round_up(even(n, max_columns), block); }
};

/// Backends that run these products: those whose registers are as wide.
template <class B>
concept multiplies_bfloats = !std::same_as<B, portable> && vector_registers<typename B::isa> == 32;

/// Packing is a larger part of these products than of others: fewer pieces pack less. Of many workers one is always
/// behind, and all wait for it: there smaller pieces, which others can take, gain more than their packing costs.
template <multiplies_bfloats B>
constexpr std::size_t pieces_per_worker(products_in<B, bf16>, std::size_t workers) {
  return workers <= 4 ? 1 : 4;
}
template <class T, multiplies_bfloats B>
constexpr std::size_t gemm_panel(products_in<B, bf16>) {
  return half_shape::block;
}
template <class T, multiplies_bfloats B>
constexpr std::size_t gemm_workspace(products_in<B, bf16>, std::size_t rows, std::size_t columns, std::size_t depth) {
  const std::size_t lines = smaller(round_up(rows, half_shape::block), half_shape::group_rows) +
                            smaller(round_up(columns, half_shape::block), half_shape::max_columns);
  return lines * smaller(round_up(depth, half_tile::depth), half_shape::max_depth) / 2;
}

/// Multiplies packed tiles of a group of rows with those of a strip, block by block.
template <class Tiles>
void multiply_half_tiles(const std::uint16_t* a, const std::uint16_t* b, std::size_t rows, std::size_t columns,
                         std::size_t steps, float* c, std::size_t ldc, bool accumulate) {
  constexpr std::size_t lines = half_tile::lines, block = half_shape::block;
  auto multiply = [&]<std::size_t R, std::size_t C>(std::index_sequence<R, C>, std::size_t i, std::size_t j) {
    Tiles::template multiply<R, C>(a + i * steps * half_tile::depth, b + j * steps * half_tile::depth, steps,
                                   c + i * ldc + j, ldc, smaller(block, rows - i), smaller(block, columns - j),
                                   accumulate);
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
  const std::size_t max_depth = half_shape::depth(k), max_columns = half_shape::columns(n);
  constexpr std::size_t group = half_shape::group_rows;
  for (std::size_t j = 0; j < n; j += max_columns)
    for (std::size_t p = 0; p < k; p += max_depth) {
      const std::size_t depth = smaller(max_depth, k - p), columns = smaller(max_columns, n - j);
      const std::size_t steps = ceil_div(depth, half_tile::depth);
      std::uint16_t* const rows_packed = workspace + round_up(columns, half_shape::block) * steps * half_tile::depth;
      pack_half_tiles<true>(half_operand<Right>::columns_of(b.from(p, j)), columns, depth, workspace);
      for (std::size_t i = 0; i < m; i += group) {
        const std::size_t rows = smaller(group, m - i);
        pack_half_tiles<false>(half_operand<Left>::rows_of(a.from(i, p)), rows, depth, rows_packed);
        multiply_half_tiles<Tiles>(rows_packed, workspace, rows, columns, steps, c + i * ldc + j, ldc,
                                   accumulate || p > 0);
      }
    }
}

template <multiplies_bfloats B, class Left, class Right>
void gemm(products_in<B, bf16>, std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b,
          float* c, std::size_t ldc, bool accumulate, float* workspace) {
  auto* const tiles = reinterpret_cast<std::uint16_t*>(workspace);
#if CTLM_AMX
  if (may_use_tiles()) {
    const tile_registers held;
    return half_gemm<amx_tiles>(m, n, k, a, b, c, ldc, accumulate, tiles);
  }
#endif
  half_gemm<vector_tiles>(m, n, k, a, b, c, ldc, accumulate, tiles);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
