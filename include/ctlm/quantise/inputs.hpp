// SPDX-License-Identifier: MIT
// ctlm: what the inputs of a matrix look like: which of them are large, and which go together.
#pragma once

#include "../kernels/ops.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Sums over rows of inputs x: of x_j^2, and, where there is room for them, of x_i x_j. With the first a rounding
/// error can be weighted by what it does to the product, with the second it can be made good by other columns.
template <class T>
struct input_statistics {
  std::size_t columns = 0;  ///< numbers of a row
  std::size_t rows = 0;     ///< rows that were added
  T* squares = nullptr;     ///< [columns] sums of squares
  T* products = nullptr;    ///< [columns][columns], of which those below and on the diagonal are kept; or nullptr
  T* moved = nullptr;       ///< [columns][columns] sums of (exact_i - x_i) x_j, see add_moved(); or nullptr

  /// Columns of a matrix of products that are computed together.
  static constexpr std::size_t stripe = 192;

  /// Memory for the sums; for those of products only where asked for.
  template <class A>
  static constexpr input_statistics place(A& a, std::size_t columns, bool with_products) {
    input_statistics s;
    s.columns = columns;
    s.squares = a.template allocate<T>(columns);
    if (with_products) s.products = a.template allocate<T>(columns * columns);
    if (with_products) s.moved = a.template allocate<T>(columns * columns);
    return s;
  }

  /// Forgets all rows.
  constexpr void clear() {
    rows = 0;
    for (std::size_t j = 0; j < columns; ++j) squares[j] = 0;
    if (products != nullptr)
      for (std::size_t j = 0; j < columns * columns; ++j) products[j] = moved[j] = 0;
  }

  /// Adds rows x [count][columns]. `workspace` is that of matmul: `stride` numbers for each worker, gemm_workspace<T>(
  /// backend, stripe, columns, count) or more.
  template <class Backend, executor E>
  constexpr void add(Backend backend, E& exec, std::size_t count, const T* x, T* workspace, std::size_t stride) {
    rows += count;
    parallel_for(exec, columns, 64, [&](std::size_t first, std::size_t n, std::size_t) {
      auto square = [](auto& sum, const auto& v) { sum += v * v; };
      for (std::size_t i = 0; i < count; ++i) elementwise(backend, n, square, squares + first, x + i * columns + first);
    });
    if (products == nullptr) return;
    for (std::size_t j = 0; j < columns; j += stripe) {
      const std::size_t n = smaller(stripe, columns - j);
      matmul(backend, exec, n, j + n, count, row_major(x + j, columns).transposed(), row_major(x, columns),
             products + j * columns, columns, true, workspace, stride);
    }
  }

  /// Adds to `moved` how far rows x [count][columns], which a model with rounded weights sees, are from those that the
  /// exact model sees. `exact` [count][columns] holds these, and their distances afterwards.
  template <class Backend, executor E>
  constexpr void add_moved(Backend backend, E& exec, std::size_t count, const T* x, T* exact, T* workspace,
                           std::size_t stride) {
    parallel_for(exec, count, 16, [&](std::size_t first, std::size_t n, std::size_t) {
      auto subtract = [](auto& to, const auto& v) { to -= v; };
      elementwise(backend, n * columns, subtract, exact + first * columns, x + first * columns);
    });
    for (std::size_t j = 0; j < columns; j += stripe)
      matmul(backend, exec, smaller(stripe, columns - j), columns, count,
             row_major(static_cast<const T*>(exact) + j, columns).transposed(), row_major(x, columns),
             moved + j * columns, columns, true, workspace, stride);
  }

  /// Adds `part` of the sums of others, which counts as `count` rows.
  template <class Backend, executor E>
  constexpr void add_part(Backend backend, E& exec, const input_statistics& other, T part, std::size_t count) {
    rows += count;
    const auto add = [&](std::size_t n, T* to, const T* from) {
      parallel_for(exec, n, 16384, [&](std::size_t first, std::size_t some, std::size_t) {
        elementwise(
            backend, some, [part](auto& sum, const auto& v) { sum += v * part; }, to + first, from + first);
      });
    };
    add(columns, squares, other.squares);
    if (products == nullptr) return;
    add(columns * columns, products, other.products);
    add(columns * columns, moved, other.moved);
  }

  /// mean[columns] = sums of squares / rows; false if one of them is not finite, or no row was added.
  constexpr bool mean_squares(T* mean) const {
    bool finite = rows > 0;
    for (std::size_t j = 0; j < columns; ++j) {
      mean[j] = squares[j] / static_cast<T>(rows > 0 ? rows : 1);
      finite = finite && math::isfinite(mean[j]);
    }
    return finite;
  }
};

/// A matrix whose inputs are looked at on their way into the product.
template <matrix_view View, class T>
struct observed_matrix {
  using format = typename View::format;  ///< how the matrix is stored
  View matrix;                           ///< the matrix
  input_statistics<T>* inputs;           ///< where its inputs are added up
  T* workspace;                          ///< of input_statistics::add
  std::size_t stride;                    ///< numbers of it for each worker
  T* exact;         ///< the inputs that the exact model has there, for input_statistics::add_moved; or nullptr
  bool multiplies;  ///< false: nobody wants the product
  std::size_t rows = matrix.rows;  ///< of the matrix
};

/// As every linear(): y = x W^T + terms; x is added to the statistics before.
template <class Backend, executor E, class View, class T, class Workspace>
constexpr void linear(Backend backend, E& exec, std::size_t m, const T* x, const observed_matrix<View, T>& w,
                      const linear_terms<T>& terms, T* y, Workspace& ws) {
  w.inputs->add(backend, exec, m, x, w.workspace, w.stride);
  if (w.exact != nullptr) w.inputs->add_moved(backend, exec, m, x, w.exact, w.workspace, w.stride);
  if (w.multiplies) linear(backend, exec, m, x, w.matrix, terms, y, ws);
}

/// A matrix whose inputs are kept on their way into the product.
template <matrix_view View, class T>
struct recorded_matrix {
  using format = typename View::format;  ///< how the matrix is stored
  View matrix;                           ///< the matrix
  T* inputs;                             ///< [m][columns] where they go
  std::size_t rows = matrix.rows;        ///< of the matrix
};

/// As every linear(): y = x W^T + terms; x is copied before.
template <class Backend, executor E, class View, class T, class Workspace>
constexpr void linear(Backend backend, E& exec, std::size_t m, const T* x, const recorded_matrix<View, T>& w,
                      const linear_terms<T>& terms, T* y, Workspace& ws) {
  parallel_for(exec, m * w.matrix.cols, 16384, [&](std::size_t first, std::size_t n, std::size_t) {
    for (std::size_t i = first; i < first + n; ++i) w.inputs[i] = x[i];
  });
  linear(backend, exec, m, x, w.matrix, terms, y, ws);
}

}}  // namespace ctlm
