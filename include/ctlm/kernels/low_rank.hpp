// SPDX-License-Identifier: MIT
// ctlm: a product of two thin matrices beside a large one (LoRA: Hu et al. 2021): x A^T B^T, forward and backward. The
// large matrix may be several that are stored as one; each of its parts then has thin ones of its own.
#pragma once

#include "dropout.hpp"
#include "matmul.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rows of a matrix that are matrices of their own to an adapter: queries, keys and values, say.
struct adapter_parts {
  static constexpr std::size_t most = 3;  ///< parts of one matrix

  std::size_t count = 0;      ///< how many are adapted
  std::size_t first[most]{};  ///< the first row of each
  std::size_t rows[most]{};   ///< and how many it has

  /// Rows of all parts: of B.
  constexpr std::size_t all_rows() const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i) n += rows[i];
    return n;
  }
};

/// The thin matrices of one matrix W[n][k] of one layer. `a` is nullptr where nothing is added to W.
template <class T>
struct low_rank_pair {
  const T* a = nullptr;                  ///< [parts][rank][k]
  const T* b = nullptr;                  ///< [rows of all parts][rank]
  const T* gains = nullptr;              ///< [n] factors of the rows of W + scale B A, or nullptr: DoRA's
  const T* norms = nullptr;              ///< [n] of training with them: lengths of those rows
  const adapter_parts* parts = nullptr;  ///< the rows of W that are adapted
  std::size_t rank = 0;                  ///< rows of each part of A
  T scale = 0;                           ///< of what is added
  dropout_mask dropout{};                ///< of what A sees

  /// Columns of x A^T.
  constexpr std::size_t width() const { return parts->count * rank; }
};

/// W + scale B A of row `row` of a matrix, to `to`, [k]; with gains (DoRA) multiplied by the row's.
template <class T>
constexpr void add_adapter_row(const low_rank_pair<T>& w, std::size_t row, std::size_t k, T* to) {
  if (w.a == nullptr) return;
  std::size_t before = 0;
  for (std::size_t p = 0; p < w.parts->count; before += w.parts->rows[p++]) {
    if (row < w.parts->first[p] || row >= w.parts->first[p] + w.parts->rows[p]) continue;
    const T* const b = w.b + (before + row - w.parts->first[p]) * w.rank;
    for (std::size_t r = 0; r < w.rank; ++r) {
      const T factor = w.scale * b[r];
      const T* const a = w.a + (p * w.rank + r) * k;
      for (std::size_t i = 0; i < k; ++i) to[i] += factor * a[i];
    }
  }
  if (w.gains != nullptr)
    for (std::size_t i = 0; i < k; ++i) to[i] *= w.gains[row];
}

/// The gradients of a low_rank_pair; a is nullptr where they are not wanted.
template <class T>
struct low_rank_gradients {
  T* a = nullptr;           ///< as in low_rank_pair
  T* b = nullptr;           ///< as in low_rank_pair
  T* magnitudes = nullptr;  ///< [rows of all parts] of DoRA's magnitudes, to which theirs are added
};

/// Scratch of the products with thin matrices, for up to m rows.
template <class T>
struct low_rank_scratch {
  T* down = nullptr;             ///< [m][width] scale x A^T
  T* ddown = nullptr;            ///< [m][width] scale dy B
  T* dropped = nullptr;          ///< [m][k] x with dropout; not where there is none
  T* summed = nullptr;           ///< [m][n] x (W + scale B A)^T; DoRA's alone
  T* panels = nullptr;           ///< [workers][panel_stride] workspace of matrix products
  std::size_t panel_stride = 0;  ///< numbers of it for each worker

  /// Asks an arena for all but the workspace. Extents of 0 are for what is not needed.
  template <class A>
  constexpr void place(A& a, std::size_t m, std::size_t width, std::size_t dropped_inputs, std::size_t summed_outputs,
                       bool backward) {
    down = a.template allocate<T>(m * width);
    if (backward) ddown = a.template allocate<T>(m * width);
    if (dropped_inputs > 0) dropped = a.template allocate<T>(m * dropped_inputs);
    if (summed_outputs > 0) summed = a.template allocate<T>(m * summed_outputs);
  }
};

namespace low_rank_detail {

template <class Backend, executor E, class T>
constexpr void scale_all(Backend backend, E& exec, std::size_t n, T factor, T* x) {
  parallel_for(exec, n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    elementwise(
        backend, count, [=](auto& v) { v = v * factor; }, x + first);
  });
}

/// What A sees: x, or a copy of it in which some numbers are dropped.
template <class Backend, executor E, class T>
constexpr const T* seen(Backend backend, E& exec, std::size_t m, std::size_t k, const T* x, const low_rank_pair<T>& w,
                        const low_rank_scratch<T>& s) {
  if (!w.dropout.active()) return x;
  parallel_for(exec, m * k, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    elementwise(
        backend, count, [](auto& to, const auto& from) { to = from; }, s.dropped + first, x + first);
    apply_dropout(w.dropout, count, s.dropped + first, first);
  });
  return s.dropped;
}

/// f(rows of W before the part, rows in the part, rows of B before it, columns of x A^T before it).
template <class T, class F>
constexpr void for_each_part(const low_rank_pair<T>& w, F&& f) {
  std::size_t before = 0;
  for (std::size_t p = 0; p < w.parts->count; ++p) {
    f(w.parts->first[p], w.parts->rows[p], before, p * w.rank);
    before += w.parts->rows[p];
  }
}

/// s.down = scale seen A^T.
template <class Backend, executor E, class T>
constexpr void go_down(Backend backend, E& exec, std::size_t m, std::size_t k, const T* in, const low_rank_pair<T>& w,
                       const low_rank_scratch<T>& s) {
  const std::size_t width = w.width();
  matmul(backend, exec, m, width, k, row_major(in, k), row_major(w.a, k).transposed(), s.down, width, false, s.panels,
         s.panel_stride);
  scale_all(backend, exec, m * width, w.scale, s.down);
}

}  // namespace low_rank_detail

/// y[m][n] += scale x A^T B^T, for x [m][k].
template <class Backend, executor E, class T>
CTLM_NOINLINE constexpr void add_low_rank(Backend backend, E& exec, std::size_t m, std::size_t n, std::size_t k,
                                          const T* x, const low_rank_pair<T>& w, T* y, const low_rank_scratch<T>& s) {
  using namespace low_rank_detail;
  go_down(backend, exec, m, k, seen(backend, exec, m, k, x, w, s), w, s);
  for_each_part(w, [&](std::size_t row, std::size_t rows, std::size_t b, std::size_t column) {
    matmul(backend, exec, m, rows, w.rank, row_major(static_cast<const T*>(s.down) + column, w.width()),
           row_major(w.b + b * w.rank, w.rank).transposed(), y + row, n, true, s.panels, s.panel_stride);
  });
}

/// The gradients of A and B, to g (added where `accumulate`, and written otherwise), from dy [m][n]. What dx needs
/// stays in s.ddown, so that dx may take the place of x: low_rank_backward_input adds it.
template <class Backend, executor E, class T>
CTLM_NOINLINE constexpr void low_rank_backward_weight(Backend backend, E& exec, std::size_t m, std::size_t n,
                                                      std::size_t k, const T* dy, const T* x, const low_rank_pair<T>& w,
                                                      const low_rank_gradients<T>& g, bool accumulate,
                                                      const low_rank_scratch<T>& s) {
  using namespace low_rank_detail;
  const std::size_t width = w.width();
  const T* const in = seen(backend, exec, m, k, x, w, s);
  go_down(backend, exec, m, k, in, w, s);
  for_each_part(w, [&](std::size_t row, std::size_t rows, std::size_t b, std::size_t column) {
    matmul(backend, exec, m, w.rank, rows, row_major(dy + row, n), row_major(w.b + b * w.rank, w.rank),
           s.ddown + column, width, false, s.panels, s.panel_stride);
    matmul(backend, exec, rows, w.rank, m, row_major(dy + row, n).transposed(),
           row_major(static_cast<const T*>(s.down) + column, width), g.b + b * w.rank, w.rank, accumulate, s.panels,
           s.panel_stride);
  });
  scale_all(backend, exec, m * width, w.scale, s.ddown);
  matmul(backend, exec, width, k, m, row_major(static_cast<const T*>(s.ddown), width).transposed(), row_major(in, k),
         g.a, k, accumulate, s.panels, s.panel_stride);
}

/// dx[m][k] += s.ddown A, through the dropout of what A saw.
template <class Backend, executor E, class T>
CTLM_NOINLINE constexpr void low_rank_backward_input(Backend backend, E& exec, std::size_t m, std::size_t k,
                                                     const low_rank_pair<T>& w, T* dx, const low_rank_scratch<T>& s) {
  const std::size_t width = w.width();
  const bool drops = w.dropout.active();
  matmul(backend, exec, m, k, width, row_major(static_cast<const T*>(s.ddown), width), row_major(w.a, k),
         drops ? s.dropped : dx, k, !drops, s.panels, s.panel_stride);
  if (!drops) return;
  parallel_for(exec, m * k, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    apply_dropout(w.dropout, count, s.dropped + first, first);
    elementwise(
        backend, count, [](auto& sum, const auto& d) { sum += d; }, dx + first,
        static_cast<const T*>(s.dropped) + first);
  });
}

/// The gradients of DoRA's magnitudes: those of row j are added up over dy [m][n] times s.summed, over the row's
/// length.
template <class Backend, executor E, class T>
CTLM_NOINLINE constexpr void magnitude_backward(Backend backend, E& exec, std::size_t m, std::size_t n, const T* dy,
                                                const low_rank_pair<T>& w, const low_rank_gradients<T>& g,
                                                const low_rank_scratch<T>& s) {
  low_rank_detail::for_each_part(w, [&](std::size_t row, std::size_t rows, std::size_t b, std::size_t) {
    parallel_for(exec, rows, 64, [&](std::size_t first, std::size_t count, std::size_t) {
      for (std::size_t i = 0; i < m; ++i) {
        const std::size_t at = i * n + row + first;
        elementwise(
            backend, count, [](auto& sum, const auto& d, const auto& y, const auto& norm) { sum += d * y / norm; },
            g.magnitudes + b + first, dy + at, static_cast<const T*>(s.summed) + at, w.norms + row + first);
      }
    });
  });
}

}}  // namespace ctlm
