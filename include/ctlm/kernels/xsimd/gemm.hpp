// SPDX-License-Identifier: MIT
// ctlm: matrix product over xsimd batches (the scheme of Goto and van de Geijn 2008).
//
// A block of a (rows x depth) is packed for the second cache level, then one panel of b after the other (depth x
// panel_width) for the first; a tile of c lives in registers while the depth passes by. Products of few rows are not
// worth packing: they are dotted, or read b where it lies.
#pragma once

#include "../portable/gemm.hpp"
#include "dot.hpp"
#include "pack.hpp"

namespace ctlm::inline CTLM_ABI {

template <class T, class A>
struct gemm_shape {
  static constexpr std::size_t vectors = 2;                                // registers across a tile of c
  static constexpr std::size_t rows = vector_registers<A> == 32 ? 12 : 6;  // rows of a tile of c
  static constexpr std::size_t panel_width = vectors * lanes<T, A>;
  static constexpr std::size_t max_depth = 3072 / sizeof(T);
  static constexpr std::size_t max_columns = 1024;  // so that a strip of c stays in a cache between depths
  static constexpr std::size_t block_size = 1310720 / sizeof(T);  // numbers of a packed block
  static constexpr std::size_t few_rows = 12;

  /// Depth and rows are cut evenly. Rows of a packed block lie so that they fall into different cache sets.
  static constexpr std::size_t depth(std::size_t k) { return round_up(even(k, max_depth), 8); }
  static constexpr std::size_t stride(std::size_t depth) { return depth + 64 / sizeof(T); }
  static constexpr std::size_t block_rows(std::size_t m, std::size_t depth) {
    return round_up(even(m, block_size / stride(depth) / rows * rows), rows);
  }
  /// The largest of as many equal parts as it takes.
  static constexpr std::size_t even(std::size_t n, std::size_t most) {
    return ceil_div(n, larger(1, ceil_div(n, most)));
  }
};

template <class T, class A>
constexpr std::size_t gemm_panel(simd<A>) {
  return gemm_shape<T, A>::panel_width;
}
template <class T, class A>
constexpr std::size_t gemm_workspace(simd<A>, std::size_t rows, std::size_t depth) {
  using shape = gemm_shape<T, A>;
  const std::size_t deep = smaller(round_up(depth, 8), shape::max_depth);
  const std::size_t block = shape::stride(deep) * round_up(smaller(rows, shape::block_size), shape::rows);
  return shape::panel_width * deep + smaller(block, shape::block_size);
}

/// A tile of c: Rows x panel_width sums in registers, over `depth` steps. Only its first `rows` rows and `width`
/// columns are there.
template <std::size_t Rows, class T, class A, std::size_t... R>
CTLM_INLINE void gemm_tile(std::index_sequence<R...>, std::size_t depth, strided<T> a, strided<T> b, T* c,
                           std::size_t ldc, std::size_t rows, std::size_t width, bool accumulate) {
  using V = simd_batch<T, A>;
  using shape = gemm_shape<T, A>;
  constexpr std::size_t w = lanes<T, A>;
  for (std::size_t r = 0; r < rows; ++r) {
    CTLM_PREFETCH_WRITE(c + r * ldc);
    CTLM_PREFETCH_WRITE(c + r * ldc + width - 1);
  }
  const V zero(T(0));
  V left[Rows] = {(static_cast<void>(R), zero)...};
  V right[Rows] = {(static_cast<void>(R), zero)...};
  const T*
      base[ceil_div(Rows, 3)];  // rows in threes: their addresses are a base, and it with the stride once and twice
  for (std::size_t i = 0; i < ceil_div(Rows, 3); ++i) base[i] = a.data + 3 * i * a.row;
  const T* panel = b.data;
  for (std::size_t p = 0; p < depth; ++p, panel += b.row) {
    const V b0 = V::load_unaligned(panel);
    const V b1 = V::load_unaligned(panel + w);
    auto step = [&](std::size_t r) CTLM_LAMBDA_INLINE {
      const V x(base[r / 3][r % 3 * a.row]);
      left[r] = xsimd::fma(x, b0, left[r]);
      right[r] = xsimd::fma(x, b1, right[r]);
    };
    (step(R), ...);
    for (const T*& x : base) x += a.col;
  }
  auto put = [&](std::size_t r) CTLM_LAMBDA_INLINE {
    if (r >= rows) return;
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

/// What will be packed next: `count` stretches of `run` numbers. Asked for a part at a time while tiles are computed,
/// it is at hand when its turn comes.
template <class T>
struct upcoming {
  const T* data = nullptr;
  std::size_t step = 0, count = 0, run = 0;

  constexpr upcoming() = default;
  constexpr upcoming(strided<T> b, std::size_t depth, std::size_t width)
      : data(b.data),
        step(b.col == 1 ? b.row : b.col),
        count(b.col == 1 ? depth : width),
        run(b.col == 1 ? width : depth) {}

  /// The part that goes with rows [first, first + rows) of m.
  void fetch(std::size_t first, std::size_t rows, std::size_t m) const {
    const std::size_t end = smaller(first + rows, m) * count / m;
    for (std::size_t i = first * count / m; i < end; ++i)
      for (std::size_t j = 0; j < run; j += 64 / sizeof(T)) CTLM_PREFETCH_READ(data + i * step + j);
  }
};

/// A packed block of a, as its tiles read it: along its rows if it came in rows, and otherwise, as no number need then
/// change places, all rows of a tile for one step after the other.
template <class T, class A>
struct packed_block {
  static constexpr std::size_t rows = gemm_shape<T, A>::rows;
  const T* data;
  std::size_t row, col, tile;  // distances between numbers, and between tiles

  packed_block(simd<A> arch, strided<T> a, std::size_t m, std::size_t depth, T* to) : data(to) {
    if (a.row == 1 && a.col != 1) {
      row = 1, col = rows, tile = rows * depth;
      pack_steps(a, m, depth, to);
    } else {
      row = gemm_shape<T, A>::stride(depth), col = 1, tile = rows * row;
      pack(arch, a, m, depth, to, row);
      for (std::size_t i = m; i % 4 != 0; ++i)
        for (std::size_t p = 0; p < depth; ++p) to[i * row + p] = T(0);
    }
  }
  strided<T> from(std::size_t i) const { return {data + i / rows * tile + i % rows * row, row, col}; }

 private:
  /// Some steps at a time, so that what is read of them stays in the first cache level.
  void pack_steps(strided<T> a, std::size_t m, std::size_t depth, T* to) const {
    constexpr std::size_t steps = 16;
    for (std::size_t first = 0; first < depth; first += steps)
      for (std::size_t i = 0; i < m; i += rows)
        for (std::size_t p = first; p < smaller(first + steps, depth); ++p) {
          const T* source = a.data + i + p * a.col;
          T* target = to + i / rows * tile + p * rows;
          if (i + rows <= m)
            __builtin_memcpy(target, source, rows * sizeof(T));
          else
            for (std::size_t r = 0; r < rows; ++r) target[r] = i + r < m ? source[r] : T(0);
        }
  }
};

/// A packed block of a against one panel of b.
template <class T, class A>
void gemm_block(simd<A>, std::size_t m, std::size_t depth, const packed_block<T, A>& a, strided<T> panel, T* c,
                std::size_t ldc, std::size_t width, bool accumulate, const upcoming<T>& next) {
  using shape = gemm_shape<T, A>;
  std::size_t i = 0;
  auto tile = [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>, std::size_t rows) {
    next.fetch(i, rows, m);
    gemm_tile<Rows, T, A>(std::make_index_sequence<Rows>{}, depth, a.from(i), panel, c + i * ldc, ldc, rows, width,
                          accumulate);
    i += rows;
  };
  while (i + shape::rows <= m) tile(std::integral_constant<std::size_t, shape::rows>{}, shape::rows);
  if constexpr (shape::rows > 8)
    if (i + 8 <= m) tile(std::integral_constant<std::size_t, 8>{}, 8);
  while (i < m) tile(std::integral_constant<std::size_t, 4>{}, smaller(4, m - i));
}

template <class T, class A>
void gemm(simd<A> arch, std::size_t m, std::size_t n, std::size_t k, strided<T> a, strided<T> b, T* c, std::size_t ldc,
          bool accumulate, T* workspace) {
  using shape = gemm_shape<T, A>;
  if (m <= shape::few_rows && a.col == 1 && b.row == 1)
    return dot_products(arch, m, n, k, a.data, a.row, b.data, b.col, c, ldc, accumulate);
  const std::size_t max_depth = shape::depth(k), max_rows = shape::block_rows(m, max_depth);
  const bool in_place = m <= shape::rows && b.col == 1;  // a panel that is read once needs no packing
  T* const block = workspace + shape::panel_width * max_depth;
  for (std::size_t strip = 0; strip < n; strip += shape::max_columns)
    for (std::size_t p = 0; p < k; p += max_depth)
      for (std::size_t i = 0; i < m; i += max_rows) {
        const std::size_t depth = smaller(max_depth, k - p), rows = smaller(max_rows, m - i);
        const packed_block<T, A> left(arch, a.from(i, p), rows, depth, block);
        for (std::size_t j = strip; j < smaller(strip + shape::max_columns, n); j += shape::panel_width) {
          const std::size_t width = smaller(shape::panel_width, n - j), after = j + width;
          auto panel = b.from(p, j);
          if (!in_place || width < shape::panel_width) {
            pack(arch, panel, depth, width, workspace, shape::panel_width);
            panel = row_major<T>(workspace, shape::panel_width);
          }
          const upcoming<T> next =
              after < n ? upcoming<T>(b.from(p, after), depth, smaller(shape::panel_width, n - after)) : upcoming<T>{};
          gemm_block(arch, rows, depth, left, panel, c + i * ldc + j, ldc, width, accumulate || p > 0, next);
        }
      }
}

}  // namespace ctlm::inline CTLM_ABI
