// SPDX-License-Identifier: MIT
// ctlm: matrix product over xsimd batches (the scheme of Goto and van de Geijn 2008).
//
// A strip of b is packed in panels (depth x panel_width) for the second cache level, then one group of rows of a after
// the other; its tiles stay in the first level while the panels pass by, and a tile of c in registers while the depth
// does. Products of few rows are not worth packing: they are dotted, or read b where it lies.
#pragma once

#include "../portable/gemm.hpp"
#include "dot.hpp"
#include "pack.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

template <class T, class A>
struct gemm_shape {
  static constexpr std::size_t vectors = 2;                                // registers across a tile of c
  static constexpr std::size_t rows = vector_registers<A> == 32 ? 12 : 6;  // rows of a tile of c
  static constexpr std::size_t panel_width = vectors * lanes<T, A>;
  static constexpr std::size_t max_depth = 1024 / sizeof(T);  // a tile of a then leaves the first cache room for more
  static constexpr std::size_t max_columns = 768;             // of a strip, which then fills a third of the second
  static constexpr std::size_t group_rows = 4 * rows;         // rows of a packed at a time
  static constexpr std::size_t few_rows = 12;

  /// Depth is cut evenly, whatever the rows, so that no sum depends on how c is shared out. Packed rows lie so that
  /// they fall into different cache sets.
  static constexpr std::size_t depth(std::size_t k) { return round_up(even(k, max_depth), 8); }
  static constexpr std::size_t stride(std::size_t depth) { return depth + 64 / sizeof(T); }
  /// Where there are few rows, packing a again costs little, and a narrower strip takes less workspace.
  static constexpr std::size_t columns(std::size_t m, std::size_t n) {
    return round_up(even(n, smaller(max_columns, round_up(3 * m, panel_width))), panel_width);
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
constexpr std::size_t gemm_workspace(simd<A>, std::size_t rows, std::size_t columns, std::size_t depth) {
  using shape = gemm_shape<T, A>;
  const std::size_t deep = smaller(round_up(depth, 8), shape::max_depth);
  const std::size_t strip = smaller(smaller(columns, 3 * rows), shape::max_columns);
  const std::size_t group = smaller(round_up(rows, shape::rows), shape::group_rows) + 4;  // the last tile may stick out
  return round_up(strip, shape::panel_width) * deep + group * shape::stride(deep);
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

/// Numbers that will be packed next. Asked for a part at a time while others are computed with, they are at hand then.
template <class S>
struct upcoming {
  strided<S> x{};
  std::size_t rows = 0, columns = 0;

  /// Parts [first, last) of `parts`. Always inline: GCC drops calls of functions that do nothing but this.
  CTLM_INLINE void fetch(std::size_t first, std::size_t last, std::size_t parts) const {
    const bool by_rows = x.col == 1;
    const std::size_t step = by_rows ? x.row : x.col, count = by_rows ? rows : columns, run = by_rows ? columns : rows;
    for (std::size_t i = first * count / parts; i < last * count / parts; ++i)
      for (std::size_t j = 0; j < run; j += 64 / sizeof(S)) CTLM_PREFETCH_READ(x.data + i * step + j);
  }
};

/// A strip of b, one panel after the other, each of them depth x panel_width. While a stretch of one is packed, the
/// same stretch of the next is fetched, so that neither memory nor the transposition waits for the other.
template <class T, class A, class S>
void pack_panels(simd<A> backend, strided<S> b, std::size_t depth, std::size_t columns, T* to) {
  constexpr std::size_t width = gemm_shape<T, A>::panel_width, stretch = 32;
  for (std::size_t j = 0; j < columns; j += width)
    for (std::size_t p = 0; p < depth; p += stretch) {
      const std::size_t steps = smaller(stretch, depth - p), next = j + width;
      if (next < columns) upcoming<S>{b.from(p, next), steps, smaller(width, columns - next)}.fetch(0, 1, 1);
      pack(backend, b.from(p, j), steps, smaller(width, columns - j), to + j * depth + p * width, width);
    }
}

/// A group of rows of a, as its tiles read it: along its rows if it came in rows, which are not even copied where they
/// fall into different cache sets; otherwise, as no number need then change places, all rows of a tile for one step
/// after the other. Numbers of 16 bits are widened as they are packed.
template <class T, class A>
struct row_group {
  static constexpr std::size_t rows = gemm_shape<T, A>::rows;
  const T* data;
  std::size_t row, col, tile;  // distances between numbers, and between tiles

  template <class S>
  row_group(simd<A> backend, strided<S> a, std::size_t m, std::size_t depth, T* to)
      : data(to), row(gemm_shape<T, A>::stride(depth)), col(1), tile(rows * row) {
    if constexpr (std::same_as<S, T>) {
      const bool whole_tiles = m % rows % 4 == 0;
      if (a.col == 1 && whole_tiles && a.row * sizeof(T) / 64 % 64 != 0) {
        data = a.data, row = a.row, tile = rows * row;
        return;
      }
      if (a.row == 1 && a.col != 1) {
        row = 1, col = rows, tile = rows * depth;
        pack_columns(a, m, depth, to);
        return;
      }
    }
    pack(backend, a, m, depth, to, row);
    for (std::size_t i = m; i % 4 != 0; ++i)
      for (std::size_t p = 0; p < depth; ++p) to[i * row + p] = T(0);
  }
  strided<T> from(std::size_t i) const { return {data + i / rows * tile + i % rows * row, row, col}; }

 private:
  /// Some steps at a time, so that what is read of them stays in the first cache level.
  void pack_columns(strided<T> a, std::size_t m, std::size_t depth, T* to) const {
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

/// A group of rows times the columns of a strip of b; column j's panel starts at panels.data + j * distance.
template <class T, class A, class Next>
void gemm_group(simd<A>, std::size_t m, std::size_t n, std::size_t depth, const row_group<T, A>& a, strided<T> panels,
                std::size_t distance, T* c, std::size_t ldc, bool accumulate, const upcoming<Next>& next) {
  using shape = gemm_shape<T, A>;
  constexpr std::size_t width = shape::panel_width;
  std::size_t i = 0;
  auto across = [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>) {
    const std::size_t rows = smaller(Rows, m - i);
    for (std::size_t j = 0; j < n; j += width) {
      next.fetch(i * n + j * rows, i * n + smaller(j + width, n) * rows, m * n);
      gemm_tile<Rows, T, A>(std::make_index_sequence<Rows>{}, depth, a.from(i),
                            {panels.data + j * distance, panels.row, 1}, c + i * ldc + j, ldc, rows,
                            smaller(width, n - j), accumulate);
    }
    i += rows;
  };
  while (i + shape::rows <= m) across(std::integral_constant<std::size_t, shape::rows>{});
  if constexpr (shape::rows > 8)
    if (i + 8 <= m) across(std::integral_constant<std::size_t, 8>{});
  while (i < m) across(std::integral_constant<std::size_t, 4>{});
}

template <class T, class A, class Left, class Right>
void gemm(simd<A> backend, std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b, T* c,
          std::size_t ldc, bool accumulate, T* workspace) {
  using shape = gemm_shape<T, A>;
  constexpr std::size_t group = shape::group_rows, width = shape::panel_width;
  if (m <= shape::few_rows && a.col == 1 && b.row == 1)
    return dot_products(backend, m, n, k, a.data, a.row, b.data, b.col, c, ldc, accumulate);
  const std::size_t max_depth = shape::depth(k), max_columns = shape::columns(m, n);
  constexpr bool same = std::same_as<Right, T>;
  const bool in_place = same && m <= shape::rows && b.col == 1;  // a panel that is read once needs no packing
  T* const rows_packed = workspace + max_depth * max_columns;
  for (std::size_t j = 0; j < n; j += max_columns)
    for (std::size_t p = 0; p < k; p += max_depth) {
      const std::size_t depth = smaller(max_depth, k - p), columns = smaller(max_columns, n - j);
      const std::size_t there = in_place ? columns / width * width : 0;  // columns read where they lie
      const bool add = accumulate || p > 0;
      pack_panels(backend, b.from(p, j + there), depth, columns - there, workspace);
      for (std::size_t i = 0; i < m; i += group) {
        const std::size_t rows = smaller(group, m - i), after = i + group;
        const row_group<T, A> left(backend, a.from(i, p), rows, depth, rows_packed);
        const upcoming<Left> next =
            after < m ? upcoming<Left>{a.from(after, p), smaller(group, m - after), depth}
                      : upcoming<Left>{a.from(0, p + depth), smaller(group, m), smaller(max_depth, k - p - depth)};
        T* const out = c + i * ldc + j;
        if constexpr (same)
          if (there > 0)
            gemm_group(backend, rows, there, depth, left, b.from(p, j), 1, out, ldc, add, upcoming<Left>{});
        if (there < columns)
          gemm_group(backend, rows, columns - there, depth, left, row_major<T>(workspace, width), depth, out + there,
                     ldc, add, next);
      }
    }
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
