// SPDX-License-Identifier: MIT
// ctlm: matrix products of operands rounded to bf16, on processors that multiply such numbers.
//
// Both operands are packed as tiles (half_tile.hpp), piece by piece (half_gemm.hpp). AMX multiplies the tiles where the
// process may use it, vdpbf16ps otherwise.
#pragma once

#include "../../portable/half_products.hpp"
#include "../amx/half_tile.hpp"
#include "half_tile.hpp"

#if CTLM_AVX512BF16
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Backends that run these products: those whose registers are as wide.
template <class B>
concept multiplies_bfloats = !std::same_as<B, portable> && vector_registers<typename B::isa> == 32;

template <multiplies_bfloats B>
constexpr std::size_t pieces_per_worker(products_in<B, bf16>, std::size_t workers) {
  return half_pieces_per_worker(workers);
}
template <class T, multiplies_bfloats B>
constexpr std::size_t gemm_panel(products_in<B, bf16>) {
  return half_shape<half_tile>::block;
}
template <class T, multiplies_bfloats B>
constexpr std::size_t gemm_workspace(products_in<B, bf16>, std::size_t rows, std::size_t columns, std::size_t depth) {
  return half_shape<half_tile>::workspace(rows, columns, depth);
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
#endif
