// SPDX-License-Identifier: MIT
// ctlm: how the rounding error of one column is made good by the columns after it (GPTQ: Frantar, Ashkboos, Hoefler,
// Alistarh 2022; in the form of LDLQ: Chee, Cai, Kuleshov, De Sa 2023, which needs no inverse).
//
// What rounding W to Q costs a product is tr((W - Q) H (W - Q)^T) with H = X^T X. H = U D U^T, where U is upper
// triangular with ones on its diagonal, makes it a sum of squares: with e = w - q, sum_i D_i (e_i + sum_{j<i} e_j
// U_ji)^2. So column i is rounded as w_i + sum_{j<i} e_j U_ji.
#pragma once

#include "inputs.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Places 0 ... n - 1 sorted by `values`, the largest first; those of equal ones keep their order.
template <class T>
constexpr void sort_descending(std::size_t n, const T* values, std::uint32_t* order, std::uint32_t* scratch) {
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
  for (std::size_t run = 1; run < n; run *= 2) {  // merges neighbouring runs
    for (std::size_t first = 0; first < n; first += 2 * run) {
      const std::size_t middle = smaller(first + run, n), end = smaller(first + 2 * run, n);
      std::size_t a = first, b = middle;
      for (std::size_t i = first; i < end; ++i) {
        const bool left = a < middle && (b >= end || !(values[order[b]] > values[order[a]]));
        scratch[i] = left ? order[a++] : order[b++];
      }
    }
    for (std::size_t i = 0; i < n; ++i) order[i] = scratch[i];
  }
}

/// The order in which columns are rounded, and what the error of each adds to the later ones.
template <class T>
struct rounding_feedback {
  std::size_t columns = 0;         ///< of the matrix
  std::uint32_t* order = nullptr;  ///< [columns] the column that is rounded as the i-th
  T* factors = nullptr;            ///< [columns][columns] U_ji for j < i, both in that order
  T* pivots = nullptr;             ///< [columns] D_i

  /// Rows of the factorisation that are worked on together.
  static constexpr std::size_t block = 64;

  /// Scratch of compute().
  struct scratch_type {
    double* matrix = nullptr;         ///< [columns][columns]
    double* negated = nullptr;        ///< [block][columns]
    double* panels = nullptr;         ///< workspace of matrix products
    std::size_t stride = 0;           ///< numbers of it for each worker
    std::uint32_t* sorted = nullptr;  ///< [columns]
    T* factor_block = nullptr;        ///< [block][columns] of divide()
    T* turned = nullptr;              ///< [workers][columns] a row in another order
    T* divide_panels = nullptr;       ///< workspace of matrix products in T
    std::size_t divide_stride = 0;    ///< numbers of it for each worker

    /// Memory for matrices of at most `columns` columns.
    template <class Backend, class A>
    static constexpr scratch_type place(A& a, Backend backend, std::size_t columns, std::size_t workers) {
      scratch_type s;
      s.matrix = a.template allocate<double>(columns * columns);
      s.negated = a.template allocate<double>(block * columns);
      s.stride = gemm_workspace<double>(backend, columns, columns, block);
      s.panels = a.template allocate<double>(workers * s.stride);
      s.sorted = a.template allocate<std::uint32_t>(columns);
      s.factor_block = a.template allocate<T>(block * columns);
      s.turned = a.template allocate<T>(workers * columns);
      s.divide_stride = gemm_workspace<T>(backend, columns, block, columns);
      s.divide_panels = a.template allocate<T>(workers * s.divide_stride);
      return s;
    }
  };

  /// Memory for matrices of at most `columns` columns.
  template <class A>
  static constexpr rounding_feedback place(A& a, std::size_t columns) {
    rounding_feedback f;
    f.order = a.template allocate<std::uint32_t>(columns);
    f.factors = a.template allocate<T>(columns * columns);
    f.pivots = a.template allocate<T>(columns);
    return f;
  }

  /// From the sums of `inputs`, to whose diagonal `damping` of its mean is added. Columns with large inputs come first
  /// where `by_size`: what follows can make their errors good. False if the sums are not finite: then nothing can be
  /// rounded by them.
  template <class Backend, executor E>
  constexpr bool compute(Backend backend, E& exec, const input_statistics<T>& inputs, double damping, bool by_size,
                         const scratch_type& s) {
    columns = inputs.columns;
    if (by_size)
      sort_descending(columns, inputs.squares, order, s.sorted);
    else
      for (std::size_t i = 0; i < columns; ++i) order[i] = static_cast<std::uint32_t>(i);
    if (!copy_damped(inputs, damping, s.matrix)) return false;
    factorise(backend, exec, s);
    for (std::size_t j = 0; j < columns; ++j) {
      const double root = s.matrix[j * columns + j];
      pivots[j] = static_cast<T>(root * root);
      for (std::size_t i = 0; i < columns; ++i)
        factors[j * columns + i] =
            i <= j ? T(0) : static_cast<T>(s.matrix[i * columns + j] / s.matrix[i * columns + i]);
    }
    return true;
  }

  /// rows [count][columns] = rows (H + damping)^-1, count <= columns: with z U D U^T = row, v = z U D from the last
  /// column to the first, and z from the first to the last. Columns of a block are known from the others by a product.
  template <class Backend, executor E>
  constexpr void divide(Backend backend, E& exec, std::size_t count, T* rows, const scratch_type& s) const {
    const std::size_t n = columns;
    each_row(exec, count, rows, s, [&](T* row, T* turned) {
      for (std::size_t i = 0; i < n; ++i) turned[i] = row[order[i]];
      for (std::size_t i = 0; i < n; ++i) row[i] = turned[i];
    });
    for (std::size_t end = n; end > 0; end = (end - 1) / block * block) {
      const std::size_t begin = (end - 1) / block * block, width = end - begin;
      for (std::size_t i = 0; i < width; ++i)
        for (std::size_t j = end; j < n; ++j) s.factor_block[i * n + j] = -factors[(begin + i) * n + j];
      if (end < n)
        matmul(backend, exec, count, width, n - end, row_major(static_cast<const T*>(rows) + end, n),
               row_major(static_cast<const T*>(s.factor_block) + end, n).transposed(), rows + begin, n, true,
               s.divide_panels, s.divide_stride);
      parallel_for(exec, count, 8, [&](std::size_t first, std::size_t some, std::size_t) {
        for (std::size_t r = first; r < first + some; r += 8)
          divide_block(begin, end, smaller(8, first + some - r), rows + r * n);
      });
    }
    each_row(exec, count, rows, s, [&](T* row, T*) {
      for (std::size_t i = 0; i < n; ++i) row[i] /= pivots[i];
    });
    for (std::size_t begin = 0; begin < n; begin += block) {
      const std::size_t end = smaller(begin + block, n), width = end - begin;
      for (std::size_t j = 0; j < begin; ++j)
        for (std::size_t i = 0; i < width; ++i) s.factor_block[i * n + j] = -factors[j * n + begin + i];
      if (begin > 0)
        matmul(backend, exec, count, width, begin, row_major(static_cast<const T*>(rows), n),
               row_major(static_cast<const T*>(s.factor_block), n).transposed(), rows + begin, n, true, s.divide_panels,
               s.divide_stride);
      each_row(exec, count, rows, s, [&](T* row, T*) {
        for (std::size_t j = begin; j < end; ++j)
          for (std::size_t i = j + 1; i < end; ++i) row[i] -= row[j] * factors[j * n + i];
      });
    }
    each_row(exec, count, rows, s, [&](T* row, T* turned) {
      for (std::size_t i = 0; i < n; ++i) turned[order[i]] = row[i];
      for (std::size_t i = 0; i < n; ++i) row[i] = turned[i];
    });
  }

 private:
  /// Columns [begin, end) of z from v, of rows [count][columns], count <= 8: rows side by side, because the numbers of
  /// one row wait for each other.
  constexpr void divide_block(std::size_t begin, std::size_t end, std::size_t count, T* rows) const {
    const std::size_t n = columns;
    auto divide_rows = [&](std::size_t some) {
      for (std::size_t i = end; i-- > begin;) {
        T sums[8]{};
        for (std::size_t r = 0; r < some; ++r) sums[r] = rows[r * n + i];
        for (std::size_t j = i + 1; j < end; ++j)
          for (std::size_t r = 0; r < some; ++r) sums[r] -= rows[r * n + j] * factors[i * n + j];
        for (std::size_t r = 0; r < some; ++r) rows[r * n + i] = sums[r];
      }
    };
    count == 8 ? divide_rows(8) : divide_rows(count);
  }
  /// f(row, scratch of a row) for all of them, on all threads.
  template <executor E, class F>
  constexpr void each_row(E& exec, std::size_t count, T* rows, const scratch_type& s, F&& f) const {
    parallel_for(exec, count, 8, [&](std::size_t first, std::size_t some, std::size_t worker) {
      for (std::size_t r = first; r < first + some; ++r) f(rows + r * columns, s.turned + worker * columns);
    });
  }

  /// h = the sums, in order, with something added to the diagonal; the part below and on it.
  constexpr bool copy_damped(const input_statistics<T>& inputs, double damping, double* h) const {
    double mean = 0;
    for (std::size_t j = 0; j < columns; ++j) mean += static_cast<double>(inputs.products[j * columns + j]);
    mean /= static_cast<double>(columns);
    if (!math::isfinite(mean)) return false;
    const double least = mean > 0 ? damping * mean : 1;
    for (std::size_t i = 0; i < columns; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        const std::size_t a = order[i], b = order[j];
        h[i * columns + j] = static_cast<double>(inputs.products[larger(a, b) * columns + smaller(a, b)]);
        if (i == j) h[i * columns + j] += least;
      }
    return true;
  }

  /// H = R R^T with R upper triangular, from the last row to the first: row k of the lower triangle becomes column k of
  /// R.
  template <class Backend, executor E>
  constexpr void factorise(Backend backend, E& exec, const scratch_type& s) const {
    const std::size_t n = columns;
    for (std::size_t end = n; end > 0;) {
      const std::size_t begin = end > block ? end - block : 0;
      for (std::size_t k = end; k-- > begin;) {
        double* const row = s.matrix + k * n;
        const double root = math::sqrt(row[k] > 0 ? row[k] : 1e-300), inverse = 1 / root;
        row[k] = root;
        for (std::size_t i = 0; i < k; ++i) row[i] *= inverse;
        for (std::size_t r = begin; r < k; ++r) {
          const double factor = row[r];
          double* const to = s.matrix + r * n;
          elementwise(
              backend, r + 1, [factor](auto& out, const auto& x) { out -= x * factor; }, to,
              static_cast<const double*>(row));
        }
      }
      const std::size_t rows = end - begin;
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < begin; ++i) s.negated[r * n + i] = -s.matrix[(begin + r) * n + i];
      for (std::size_t i = 0; i < begin; i += 4 * block) {
        const std::size_t m = smaller(4 * block, begin - i);
        matmul(backend, exec, m, i + m, rows, row_major<const double>(s.negated + i, n).transposed(),
               row_major<const double>(s.matrix + begin * n, n), s.matrix + i * n, n, true, s.panels, s.stride);
      }
      end = begin;
    }
  }
};

}}  // namespace ctlm
