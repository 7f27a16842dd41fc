// SPDX-License-Identifier: MIT
// ctlm: what a factorisation may be asked for, and the memory that it works in.
#pragma once

#include "../memory/arena.hpp"
#include "eigen.hpp"
#include "reflections.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The largest matrices that a workspace serves.
struct factor_limits {
  std::size_t rows = 1;  ///< of the matrix
  std::size_t cols = 1;  ///< of the matrix
  std::size_t rank = 1;  ///< wanted at most
  bool repairs = false;  ///< room for a copy, in which numbers that are not finite are replaced

  /// Directions that are looked for: some more than wanted, by which the wanted ones are better.
  static constexpr std::size_t width(std::size_t rows, std::size_t cols, std::size_t rank) {
    return smaller(round_up(rank + 8, 12), smaller(rows, cols));
  }
  /// The most directions that are looked for.
  constexpr std::size_t width() const { return width(rows, cols, rank); }
};
/// Run-time options of a factorisation.
struct factor_options {
  std::size_t rank = 0;         ///< wanted at most; 0: the rank of the limits
  std::size_t power_steps = 1;  ///< times the matrix and its transpose sharpen the directions; 0: fastest, 2: best
  double energy = 1;            ///< of the sum of squares, where ranks may be smaller; 1: the rank is as wanted.
                                ///< A relative error of at most t is an energy of 1 - t^2
  std::size_t block = 24;       ///< directions that are added at a time until there is energy enough; at least 1
  double density = 0;      ///< of the random combinations; 0: a row takes part in four; 1: nearly normal weights in all
  std::uint64_t seed = 1;  ///< of the random combinations
  bool repair = false;     ///< NaN becomes 0 and infinity 1 with its sign; otherwise they are an error
};
/// What is wrong with the options.
constexpr failure problem_of(const factor_options& o) {
  if (!(o.energy > 0 && o.energy <= 1))
    return {errc::invalid_argument, "ctlm: energy must be above 0 and at most 1", 0, 0, 0, "energy"};
  if (!(o.density >= 0 && o.density <= 1))
    return {errc::invalid_argument, "ctlm: density must be 0 to 1", 0, 0, 0, "density"};
  if (o.block == 0) return {errc::invalid_argument, "ctlm: block must be at least 1", 0, 0, 0, "block"};
  return {};
}
/// Scratch of a factorisation; `place` asks an arena for it, so that its bytes are known at compile time.
template <class T>
class factor_workspace {
 public:
  template <class A, class Backend>
  constexpr void place(A& a, Backend backend, std::size_t workers, const factor_limits& most) {
    limits = most;
    const std::size_t width = most.width();
    rows_of.place(a, width, most.cols);
    columns_of.place(a, width, most.rows);
    row_basis = a.template allocate<T>(width * most.cols);
    column_basis = a.template allocate<T>(width * most.rows);
    repaired = most.repairs ? a.template allocate<T>(most.rows * most.cols) : nullptr;
    partials = a.template allocate<double>(larger(most.rows, width));
    largest = a.template allocate<typename math::ieee<T>::bits>(most.rows);
    small.place(a, width, width);
    for (double*& m : squares) m = a.template allocate<double>(width * width);
    values = a.template allocate<double>(width);
    eigen.place(a, width);
    stride = products_of(backend, most);
    products = a.template allocate<T>(workers * stride);
    small_stride = larger(reflections<double>::workspace(backend, width, width), std::size_t{1});
    small_products = a.template allocate<double>(workers * small_stride);
  }

  factor_limits limits{};
  reflections<T> rows_of{};                         // basis of the rows
  reflections<T> columns_of{};                      // basis of the columns
  reflections<double> small{};                      // basis of singular vectors of the small matrix
  T* row_basis = nullptr;                           // [width][cols]
  T* column_basis = nullptr;                        // [width][rows]
  T* repaired = nullptr;                            // [rows][cols]
  double* partials = nullptr;                       // [rows]
  typename math::ieee<T>::bits* largest = nullptr;  // [rows]
  double* squares[3]{};                             // [width][width]
  double* values = nullptr;                         // [width]
  eigen_scratch eigen{};
  T* products = nullptr;  // [workers][stride]; serves the product of u and v, too
  double* small_products = nullptr;
  std::size_t stride = 0, small_stride = 0;

 private:
  template <class Backend>
  static constexpr std::size_t products_of(Backend backend, const factor_limits& m) {
    const std::size_t w = m.width();
    std::size_t n =
        larger(reflections<T>::workspace(backend, w, m.cols), reflections<T>::workspace(backend, w, m.rows));
    n = larger(n, larger(gemm_workspace<T>(backend, w, m.rows, m.cols), gemm_workspace<T>(backend, w, m.cols, m.rows)));
    n = larger(n, larger(gemm_workspace<T>(backend, m.rows, w, w), std::size_t{1}));
    return larger(n, gemm_workspace<T>(backend, m.rows, m.cols, w));  // u s v, for those who want it
  }
};

/// Bytes of a workspace.
template <class T, class Backend>
constexpr std::size_t factor_workspace_bytes(Backend backend, std::size_t workers, const factor_limits& limits) {
  return measure([&](auto& a) { factor_workspace<T>{}.place(a, backend, workers, limits); });
}

}}  // namespace ctlm
