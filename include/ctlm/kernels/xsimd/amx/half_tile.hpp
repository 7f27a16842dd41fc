// SPDX-License-Identifier: MIT
// ctlm: products of tiles of 16-bit numbers with AMX.
#pragma once

#include "../avx512/half_tile.hpp"
#include "tiles.hpp"

#if CTLM_AMX
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// The same as vector_tiles, with tdpbf16ps. Needs tile_registers.
struct amx_tiles : packed_half_tiles {
  /// Four tiles of c stay in registers while two of each operand come and go.
  template <std::size_t Rows, std::size_t Columns>
  static void multiply(const std::uint16_t* a, const std::uint16_t* b, std::size_t steps, float* c, std::size_t ldc,
                       std::size_t rows, std::size_t columns, bool accumulate) {
    constexpr std::size_t width = Columns * half_tile::lines;
    if (rows == Rows * half_tile::lines && columns == width)
      return multiply_whole<Rows, Columns>(a, b, steps, c, ldc, accumulate);
    alignas(64) float part[Rows * half_tile::lines * width];
    if (accumulate)
      for (std::size_t i = 0; i < rows; ++i) __builtin_memcpy(part + i * width, c + i * ldc, columns * sizeof(float));
    multiply_whole<Rows, Columns>(a, b, steps, part, width, accumulate);
    for (std::size_t i = 0; i < rows; ++i) __builtin_memcpy(c + i * ldc, part + i * width, columns * sizeof(float));
  }

 private:
  template <std::size_t Rows, std::size_t Columns>
  CTLM_INLINE static void multiply_whole(const std::uint16_t* a, const std::uint16_t* b, std::size_t steps, float* c,
                                         std::size_t ldc, bool accumulate) {
    const std::size_t stride = ldc * sizeof(float), next = steps * half_tile::numbers;
    float* const lower = c + half_tile::lines * ldc;
    asm volatile("" ::: "memory");  // GCC does not know that tiles are loaded from memory
    if (accumulate) {
      _tile_loadd(0, c, stride);
      if constexpr (Columns > 1) _tile_loadd(1, c + half_tile::lines, stride);
      if constexpr (Rows > 1) _tile_loadd(2, lower, stride);
      if constexpr (Rows > 1 && Columns > 1) _tile_loadd(3, lower + half_tile::lines, stride);
    } else {
      _tile_zero(0);
      if constexpr (Columns > 1) _tile_zero(1);
      if constexpr (Rows > 1) _tile_zero(2);
      if constexpr (Rows > 1 && Columns > 1) _tile_zero(3);
    }
    for (std::size_t s = 0; s < steps; ++s, a += half_tile::numbers, b += half_tile::numbers) {
      _tile_loadd(4, a, tile_bytes);
      _tile_loadd(6, b, tile_bytes);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (Columns > 1) {
        _tile_loadd(7, b + next, tile_bytes);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (Rows > 1) {
        _tile_loadd(5, a + next, tile_bytes);
        _tile_dpbf16ps(2, 5, 6);
        if constexpr (Columns > 1) _tile_dpbf16ps(3, 5, 7);
      }
    }
    _tile_stored(0, c, stride);
    if constexpr (Columns > 1) _tile_stored(1, c + half_tile::lines, stride);
    if constexpr (Rows > 1) _tile_stored(2, lower, stride);
    if constexpr (Rows > 1 && Columns > 1) _tile_stored(3, lower + half_tile::lines, stride);
    asm volatile("" ::: "memory");
  }
};

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
