// SPDX-License-Identifier: MIT
// ctlm: matrix product over xsimd batches (the scheme of Goto and van de Geijn 2008).
//
// c = a b is computed in pieces that fit the caches, in this order:
//   b is cut into strips. A strip is copied ("packed") to the workspace as panels, each panel_width columns wide, one
//   after the other; it stays in the second cache while all rows of a are multiplied with it.
//   The rows of a are taken in groups, which are packed too, and a group is cut into tiles of `rows` rows.
//   A tile of a stays in the first cache while it is multiplied with one panel after the other.
//   Tile times panel is a tile of c, whose sums stay in registers until they have been added over the whole depth.
// Packing costs about as much as multiplying a few rows. So products of few rows are dotted (dot.hpp), and those of one
// tile of rows read b where it is.
#pragma once

#include "../portable/gemm.hpp"
#include "dot.hpp"
#include "pack.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// The sizes of the pieces that a product is computed in.
template <class T, class A>
struct gemm_shape {
  static constexpr std::size_t vectors = 2;                                // registers across a tile of c
  static constexpr std::size_t rows = vector_registers<A> == 32 ? 12 : 6;  // rows of a tile of c
  static constexpr std::size_t panel_width = vectors * lanes<T, A>;
  /// Rows of a strip at most: so a row of a tile of a takes 1 KiB, and most of the first cache is left to a panel.
  static constexpr std::size_t max_depth = 1024 / sizeof(T);
  /// Columns of a strip at most: 768 of 1 KiB fill about a third of the second cache.
  static constexpr std::size_t max_columns = 768;
  static constexpr std::size_t group_rows = 4 * rows;  ///< rows of a that are packed at a time
  static constexpr std::size_t few_rows = 12;          ///< so few rows are dotted, if a lies in rows and b in columns

  /// Rows of the strips of b in a product that sums over k: equal parts of k. They follow from k alone, so that no sum
  /// depends on how c is shared out among threads.
  static constexpr std::size_t depth(std::size_t k) { return round_up(even(k, max_depth), 8); }
  /// Distance between packed rows of a: a cache line more than their length, so that they fall into different cache
  /// sets.
  static constexpr std::size_t stride(std::size_t depth) { return depth + 64 / sizeof(T); }
  /// Columns of a strip, for m rows of a. Few rows of a are quickly packed again for each strip, and a narrower strip
  /// takes less workspace.
  static constexpr std::size_t columns(std::size_t m, std::size_t n) {
    return round_up(even(n, smaller(max_columns, round_up(3 * m, panel_width))), panel_width);
  }
  /// The size of the parts if n is cut into as few equal parts of at most `most` as possible.
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
  // The last tile is filled up to a multiple of 4 rows.
  const std::size_t group = smaller(round_up(rows, shape::rows), shape::group_rows) + 4;
  return round_up(strip, shape::panel_width) * deep + group * shape::stride(deep);
}

/// A tile of c, Rows x panel_width: all its sums stay in registers. For every p below depth, two registers of b are
/// loaded (row p of the panel), and each number in column p of a's tile is multiplied with both and added to its row's
/// sums. In the end only the first `rows` rows and `width` columns are written to c.
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
  // Of every third row. The two rows after it are one and two strides away, which a load can add to an address.
  const T* base[ceil_div(Rows, 3)];
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

/// Numbers that will be packed next, and are not in a cache yet. While other numbers are computed with, fetch() asks
/// the processor for a part of them and does not wait. When they are packed, most of them have arrived.
template <class S>
struct upcoming {
  strided<S> x{};
  std::size_t rows = 0, columns = 0;

  /// Asks for parts [first, last) of `parts` equal parts. Always inline: GCC removes calls of functions that do nothing
  /// but prefetch.
  CTLM_INLINE void fetch(std::size_t first, std::size_t last, std::size_t parts) const {
    const bool by_rows = x.col == 1;
    const std::size_t step = by_rows ? x.row : x.col, count = by_rows ? rows : columns, run = by_rows ? columns : rows;
    for (std::size_t i = first * count / parts; i < last * count / parts; ++i)
      for (std::size_t j = 0; j < run; j += 64 / sizeof(S)) CTLM_PREFETCH_READ(x.data + i * step + j);
  }
};

/// Packs a strip of b: one panel after the other, [depth][panel_width] each. A panel is packed 32 rows at a time.
/// Before that the same 32 rows of the next panel are asked for: they arrive while these are packed.
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

/// A group of rows of a, laid out for gemm_tile, which reads a tile column by column. There are three ways:
/// - a lies in rows that fall into different cache sets, and its last tile needs no rows of zeros: nothing is copied,
/// and
///   the tiles read a itself.
/// - a lies in columns: each tile is packed column by column, [depth][rows]. Numbers that are neighbours in a stay
///   neighbours, so that this only copies.
/// - otherwise the rows are packed one after the other, gemm_shape::stride apart, and filled up with rows of zeros to a
///   multiple of four. Numbers of 16 bits are widened on the way; if a lies in columns, they become rows.
template <class T, class A>
struct row_group {
  static constexpr std::size_t rows = gemm_shape<T, A>::rows;
  const T* data;
  std::size_t row, col, tile;  ///< distances between the rows of a tile, its columns, and tiles

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
  /// Packs column by column (the second way), 16 columns of all tiles before the next 16: numbers of one column that
  /// belong to different tiles may share a cache line, which is then still in the first cache.
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

/// Multiplies a group of rows with the columns of a strip of b, and writes or adds the products to c [m][n]. The panel
/// of column j begins at panels.data + j * distance. With each tile of c, a part of `next` is fetched.
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
  // With one tile of rows each panel is read once: packing would not pay.
  const bool in_place = same && m <= shape::rows && b.col == 1;
  T* const rows_packed = workspace + max_depth * max_columns;
  for (std::size_t j = 0; j < n; j += max_columns)
    for (std::size_t p = 0; p < k; p += max_depth) {
      const std::size_t depth = smaller(max_depth, k - p), columns = smaller(max_columns, n - j);
      const std::size_t there = in_place ? columns / width * width : 0;  // columns that are read where they are
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
