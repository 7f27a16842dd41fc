// SPDX-License-Identifier: MIT
// ctlm: matrix product over xsimd batches.
//
// One panel of b (panel_depth x panel_width) is packed into the workspace, where it stays in the first cache level
// while all rows of a pass by; a tile of c lives in registers. a is read in place: its elements are broadcast one at a
// time.
#pragma once

#include "../../arch/xsimd.hpp"
#include "../portable/gemm.hpp"

#include <utility>

namespace ctlm::inline CTLM_ABI {

template <class T, class A>
struct gemm_shape {
  static constexpr std::size_t vectors = 2;                                // registers across a tile of c
  static constexpr std::size_t rows = vector_registers<A> == 32 ? 12 : 6;  // rows of a tile of c
  static constexpr std::size_t panel_width = vectors * lanes<T, A>;
  static constexpr std::size_t panel_depth = 256;
};

template <class T, class A>
constexpr std::size_t gemm_panel(simd<A>) {
  return gemm_shape<T, A>::panel_width;
}
template <class T, class A>
constexpr std::size_t gemm_workspace(simd<A>) {
  return gemm_shape<T, A>::panel_width * gemm_shape<T, A>::panel_depth;
}

/// Packs b[depth][width] into rows of panel_width, padded with zeros.
template <class T, class A>
void pack_panel(simd<A>, strided<T> b, std::size_t depth, std::size_t width, T* CTLM_RESTRICT panel) {
  constexpr std::size_t stride = gemm_shape<T, A>::panel_width;
  constexpr std::size_t w = lanes<T, A>;
  if (b.col == 1) {
    for (std::size_t p = 0; p < depth; ++p) {
      const T* src = b.data + p * b.row;
      T* dst = panel + p * stride;
      if (width == stride) {
        for (std::size_t j = 0; j < stride; j += w) simd_batch<T, A>::load_unaligned(src + j).store_unaligned(dst + j);
      } else {
        for (std::size_t j = 0; j < stride; ++j) dst[j] = j < width ? src[j] : T(0);
      }
    }
    return;
  }
  std::size_t j = 0;
  for (; j + 4 <= width; j += 4) {  // four columns at a time: each cache line written is used at once
    const T* s0 = b.data + j * b.col;
    const T* s1 = s0 + b.col;
    const T* s2 = s1 + b.col;
    const T* s3 = s2 + b.col;
    T* dst = panel + j;
    for (std::size_t p = 0; p < depth; ++p) {
      dst[p * stride + 0] = s0[p * b.row];
      dst[p * stride + 1] = s1[p * b.row];
      dst[p * stride + 2] = s2[p * b.row];
      dst[p * stride + 3] = s3[p * b.row];
    }
  }
  for (; j < stride; ++j)
    for (std::size_t p = 0; p < depth; ++p) panel[p * stride + j] = j < width ? b.data[p * b.row + j * b.col] : T(0);
}

/// A tile of c: Rows x panel_width sums in registers, over `depth` steps.
template <std::size_t Rows, class T, class A, std::size_t... R>
CTLM_INLINE void gemm_tile(std::index_sequence<R...>, std::size_t depth, strided<T> a, const T* CTLM_RESTRICT panel,
                           T* c, std::size_t ldc, std::size_t width, bool accumulate) {
  using V = simd_batch<T, A>;
  using shape = gemm_shape<T, A>;
  constexpr std::size_t w = lanes<T, A>;
  const V zero(T(0));
  V left[Rows] = {(static_cast<void>(R), zero)...};
  V right[Rows] = {(static_cast<void>(R), zero)...};
  const T* const rows[Rows] = {(a.data + R * a.row)...};
  for (std::size_t p = 0; p < depth; ++p) {
    const V b0 = V::load_aligned(panel + p * shape::panel_width);
    const V b1 = V::load_aligned(panel + p * shape::panel_width + w);
    const std::size_t offset = p * a.col;
    auto step = [&](std::size_t r) CTLM_LAMBDA_INLINE {
      const V x(rows[r][offset]);
      left[r] = xsimd::fma(x, b0, left[r]);
      right[r] = xsimd::fma(x, b1, right[r]);
    };
    (step(R), ...);
  }
  auto put = [&](std::size_t r) CTLM_LAMBDA_INLINE {
    T* out = c + r * ldc;
    if (width == shape::panel_width) {
      if (accumulate) {
        left[r] += V::load_unaligned(out);
        right[r] += V::load_unaligned(out + w);
      }
      left[r].store_unaligned(out);
      right[r].store_unaligned(out + w);
    } else {
      alignas(64) T edge[shape::panel_width];
      left[r].store_aligned(edge);
      right[r].store_aligned(edge + w);
      for (std::size_t j = 0; j < width; ++j) out[j] = accumulate ? out[j] + edge[j] : edge[j];
    }
  };
  (put(R), ...);
}

/// All rows of a against one packed panel.
template <class T, class A>
void gemm_rows(simd<A>, std::size_t m, std::size_t depth, strided<T> a, const T* panel, T* c, std::size_t ldc,
               std::size_t width, bool accumulate) {
  std::size_t i = 0;
  auto tiles = [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>) {
    for (; i + Rows <= m; i += Rows)
      gemm_tile<Rows, T, A>(std::make_index_sequence<Rows>{}, depth, a.from(i, 0), panel, c + i * ldc, ldc, width,
                            accumulate);
  };
  tiles(std::integral_constant<std::size_t, gemm_shape<T, A>::rows>{});
  tiles(std::integral_constant<std::size_t, 4>{});
  tiles(std::integral_constant<std::size_t, 1>{});
}

template <class T, class A>
void gemm(simd<A> arch, std::size_t m, std::size_t n, std::size_t k, strided<T> a, strided<T> b, T* c, std::size_t ldc,
          bool accumulate, T* workspace) {
  using shape = gemm_shape<T, A>;
  for (std::size_t j = 0; j < n; j += shape::panel_width) {
    const std::size_t width = smaller(shape::panel_width, n - j);
    for (std::size_t p = 0; p < k; p += shape::panel_depth) {
      const std::size_t depth = smaller(shape::panel_depth, k - p);
      pack_panel<T, A>(arch, b.from(p, j), depth, width, workspace);
      gemm_rows<T, A>(arch, m, depth, a.from(0, p), workspace, c + j, ldc, width, accumulate || p > 0);
    }
  }
}

}  // namespace ctlm::inline CTLM_ABI
