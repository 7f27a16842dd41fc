// SPDX-License-Identifier: MIT
// ctlm: a matrix as a product of low rank, A = U S V, by random combinations of its rows (Halko, Martinsson and Tropp
// 2011, "Finding structure with randomness"). Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "../memory/arena.hpp"
#include "eigen.hpp"
#include "jacobi.hpp"
#include "reflections.hpp"
#include "sketch.hpp"

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

/// Where a factorisation goes: in the caller's memory.
template <class T>
struct factors {
  T* u;  ///< [rows][rank] orthonormal columns; rows lie as far apart as the rank that was wanted
  T* s;  ///< [rank] singular values, falling
  T* v;  ///< [rank][cols] orthonormal rows
};

/// What was found.
struct factorisation {
  std::size_t rank = 0;  ///< columns of u that count
  double energy = 0;     ///< of the sum of squares that is in them, 0 to 1; not known, and 0, where none was asked for
};

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

namespace factor_detail {

template <class T, class Backend, class E>
class work {
 public:
  constexpr work(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* a, std::size_t lda,
                 factor_workspace<T>& w, const factor_options& o)
      : backend_(backend), exec_(exec), rows_(rows), cols_(cols), a_(a), lda_(lda), w_(w), o_(o) {}

  constexpr result<factorisation> run(const factors<T>& to) {
    const std::size_t wanted = smaller(o_.rank == 0 ? w_.limits.rank : o_.rank, smaller(rows_, cols_));
    const std::size_t width = factor_limits::width(rows_, cols_, wanted);
    w_.rows_of.start(cols_, w_.products, w_.stride);
    w_.columns_of.start(rows_, w_.products, w_.stride);
    // Whether numbers are finite, and how large, is seen in their first combinations: so a is not read for that alone.
    const std::size_t first = o_.energy < 1 ? smaller(o_.block, width) : width;
    sketch(first);
    if (const bits seen = largest_sum(first); !usual(seen)) {
      if (look() >= math::infinite_bits<T>) {
        if (!o_.repair) return not_finite();
        repair();
      }
      scale_to_one(largest());
      sketch(first);
    }
    find_directions(width, first);
    decompose();
    return write(wanted, to);
  }

 private:
  using bits = typename math::ieee<T>::bits;

  /// The largest magnitude of each row; as the result, of all.
  constexpr bits look() {
    for_rows([&](std::size_t row) { w_.largest[row] = math::largest_magnitude(cols_, a_ + row * lda_); });
    return largest();
  }
  constexpr bits largest() const {
    bits top = 0;
    for (std::size_t i = 0; i < rows_; ++i) top = w_.largest[i] > top ? w_.largest[i] : top;
    return top;
  }
  constexpr failure not_finite() const {
    std::size_t row = 0;
    while (w_.largest[row] < math::infinite_bits<T>) ++row;
    std::size_t col = 0;
    while (math::isfinite(a_[row * lda_ + col])) ++col;
    return {errc::invalid_argument,
            "ctlm: a matrix to factorise must hold finite numbers: row {needed}, column {had} does not", 0, row, col};
  }
  constexpr void repair() {
    for_rows([&](std::size_t row) {
      for (std::size_t j = 0; j < cols_; ++j) {
        const T x = a_[row * lda_ + j];
        w_.repaired[row * cols_ + j] = math::isfinite(x) ? x : x != x ? T(0) : x > T(0) ? T(1) : T(-1);
      }
    });
    a_ = w_.repaired;
    lda_ = cols_;
    look();
  }
  template <class F>
  constexpr void for_rows(F&& f) {
    parallel_for(exec_, rows_, larger(1, 16384 / cols_), [&](std::size_t first, std::size_t n, std::size_t) {
      for (std::size_t i = first; i < first + n; ++i) f(i);
    });
  }

  /// The next n combinations, where rows_of takes them.
  constexpr void sketch(std::size_t n) {
    const double density = o_.density > 0 ? o_.density : math::min(1.0, 4 / static_cast<double>(n));
    sketch_rows(backend_, exec_, rows_, cols_, a_, lda_, n, scale_, density, mix(o_.seed, width_), w_.rows_of.next(),
                w_.column_basis, w_.products, w_.stride);
  }
  constexpr bits largest_sum(std::size_t n) { return math::largest_magnitude(n * cols_, w_.rows_of.next()); }
  /// Neither so large nor so small that squares of such numbers would lose digits.
  static constexpr bool usual(bits top) {
    return top < math::magnitude_bits(math::exp2i<T>(30)) && top > math::magnitude_bits(math::exp2i<T>(-30));
  }

  /// A power of two by which the largest number is about 1, or as near to it as T can: sums of squares are finite then.
  constexpr void scale_to_one(bits top) {
    constexpr int most = math::ieee<T>::max_exponent - 1;
    const int exponent = static_cast<int>(top >> math::ieee<T>::mantissa) - math::ieee<T>::bias;
    const int power = exponent < -most ? most : exponent > most ? -most : -exponent;
    scale_ = math::exp2i<T>(power);
    before_ = math::exp2i<T>(power < -40 ? -40 : power > 40 ? 40 : power);
  }
  /// The sum of squares of all numbers, scaled.
  constexpr double squares() {
    constexpr std::size_t stretch = 1024;
    for_rows([&](std::size_t row) {
      double total = 0;
      for (std::size_t j = 0; j < cols_; j += stretch)
        total += static_cast<double>(sum(
            backend_, smaller(stretch, cols_ - j), [s = scale_](const auto& v) { return (v * s) * (v * s); },
            a_ + row * lda_ + j));
      w_.partials[row] = total;
    });
    double total = 0;
    for (std::size_t i = 0; i < rows_; ++i) total += w_.partials[i];
    return total;
  }

  /// A basis of the rows, `n` vectors first, and what the rows are in it: the next vectors of columns_of.
  constexpr void find_directions(std::size_t width, std::size_t n) {
    const bool adapts = o_.energy < 1;
    all_ = adapts ? squares() : 0;
    double found = 0;
    for (;;) {
      T* const projected = w_.columns_of.next() + width_ * rows_;
      add_directions(n, projected);
      if (adapts) found += squares_of(n, projected);
      width_ += n;
      if (width_ == width || !adapts || found >= o_.energy * all_) return;
      n = smaller(o_.block, width - width_);
      sketch(n);
    }
  }
  constexpr double squares_of(std::size_t n, const T* projected) {
    parallel_for(exec_, n, larger(1, 16384 / rows_), [&](std::size_t first, std::size_t count, std::size_t) {
      for (std::size_t i = first; i < first + count; ++i)
        w_.partials[i] = static_cast<double>(sum(
            backend_, rows_, [](const auto& v) { return v * v; }, projected + i * rows_));
    });
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) total += w_.partials[i];
    return total;
  }

  /// n more directions from their combinations, and at `projected` [n][rows] what the rows are in them.
  constexpr void add_directions(std::size_t n, T* projected) {
    T* const basis = w_.row_basis + width_ * cols_;
    w_.rows_of.append(backend_, exec_, n);
    w_.rows_of.vectors(backend_, exec_, width_, n, basis);
    project(n, basis, projected);
    for (std::size_t i = 0; i < o_.power_steps; ++i) {
      reflections<T> sharpened = w_.columns_of.behind(width_);
      sharpened.append(backend_, exec_, n);
      sharpened.vectors(backend_, exec_, 0, n, w_.column_basis);
      w_.rows_of.keep(width_);
      times(before_, n * rows_, w_.column_basis);
      matmul(backend_, exec_, n, cols_, rows_, row_major(static_cast<const T*>(w_.column_basis), rows_),
             row_major(a_, lda_), w_.rows_of.next(), cols_, false, w_.products, w_.stride,
             scaled(w_.rows_of.next(), cols_));
      w_.rows_of.append(backend_, exec_, n);
      w_.rows_of.vectors(backend_, exec_, width_, n, basis);
      project(n, basis, projected);
    }
  }
  /// What the rows are in the directions, scaled.
  constexpr void project(std::size_t n, T* basis, T* projected) {
    times(before_, n * cols_, basis);
    matmul(backend_, exec_, n, rows_, cols_, row_major(static_cast<const T*>(basis), cols_),
           row_major(a_, lda_).transposed(), projected, rows_, false, w_.products, w_.stride, scaled(projected, rows_));
    times(T(1) / before_, n * cols_, basis);
  }
  constexpr void times(T factor, std::size_t n, T* x) {
    if (factor == T(1)) return;
    elementwise(
        backend_, n, [=](auto& v) { v = v * factor; }, x);
  }
  /// Scales each piece of a product while a cache holds it, as far as its operand was not: products of numbers near the
  /// largest would be infinite before.
  constexpr auto scaled(T* to, std::size_t stride) const {
    return [=, backend = backend_, factor = scale_ / before_](std::size_t row, std::size_t rows, std::size_t column,
                                                              std::size_t columns) {
      if (factor == T(1)) return;
      for (std::size_t i = row; i < row + rows; ++i)
        elementwise(
            backend, columns, [=](auto& v) { v = v * factor; }, to + i * stride + column);
    };
  }

  /// The singular values and vectors of the small matrix K = R^T, whose rows are the directions in the columns' basis:
  /// K = W2 S W1^T from the eigenvectors of K K^T in double. W2^T is left in squares[1] and W1^T in squares[2].
  constexpr void decompose() {
    const std::size_t n = width_;
    w_.columns_of.append(backend_, exec_, n);
    double *const k = w_.squares[0], *const left = w_.squares[1], *const right = w_.squares[2];
    const T* const r = w_.columns_of.r();
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        k[i * n + j] = j <= i ? static_cast<double>(r[i * w_.columns_of.stride_of_r() + j]) : 0;
    const strided<double> rows = row_major(static_cast<const double*>(k), n);
    matmul(backend_, exec_, n, n, n, rows, rows.transposed(), right, n, false, w_.small_products, w_.small_stride);
    symmetric_eigen(backend_, exec_, n, right, w_.values, left, w_.eigen);
    matmul(backend_, exec_, n, n, n, row_major(static_cast<const double*>(left), n), rows, right, n, false,
           w_.small_products, w_.small_stride);
    // Squares have lost half of a double's digits: rotations bring them back.
    if constexpr (std::is_same_v<T, double>) jacobi_orthogonalise(n, n, right, n, left);
    for (std::size_t i = 0; i < n; ++i)
      w_.values[i] = math::sqrt(eigen_detail::dot(backend_, n, right + i * n, right + i * n));
    sort();
    // Lengths divide the directions out unless some are so short that the others' rounding is in them.
    constexpr double clear_of_rounding = std::is_same_v<T, float> ? 1e-4 : 1e-1;
    if (w_.values[n - 1] > clear_of_rounding * w_.values[0]) {
      for (std::size_t i = 0; i < n; ++i) multiply(n, 1 / w_.values[i], right + i * n);
      return;
    }
    w_.small.start(n, w_.small_products, w_.small_stride);
    double* const into = w_.small.next();
    for (std::size_t i = 0; i < n * n; ++i) into[i] = right[i];
    w_.small.append(backend_, exec_, n);
    w_.small.vectors(backend_, exec_, 0, n, right);
    for (std::size_t i = 0; i < n; ++i)
      if (w_.small.r()[i * w_.small.stride_of_r() + i] < 0) multiply(n, -1, right + i * n);
  }
  static constexpr void multiply(std::size_t n, double factor, double* x) {
    for (std::size_t i = 0; i < n; ++i) x[i] *= factor;
  }
  /// Falling values, and the rows of both vectors with them.
  constexpr void sort() {
    const std::size_t n = width_;
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t best = i;
      for (std::size_t j = i + 1; j < n; ++j)
        if (w_.values[j] > w_.values[best]) best = j;
      if (best == i) continue;
      exchange(w_.values[i], w_.values[best]);
      for (double* m : {w_.squares[1], w_.squares[2]})
        for (std::size_t j = 0; j < n; ++j) exchange(m[i * n + j], m[best * n + j]);
    }
  }
  static constexpr void exchange(double& x, double& y) {
    const double z = x;
    x = y, y = z;
  }

  constexpr factorisation write(std::size_t wanted, const factors<T>& to) {
    factorisation f{smaller(wanted, width_), 0};
    if (o_.energy < 1) f = enough(f.rank);
    const std::size_t n = width_;
    for (std::size_t i = 0; i < f.rank; ++i) to.s[i] = static_cast<T>(w_.values[i] / static_cast<double>(scale_));
    if (f.rank == 0) return f;
    T* const narrow = w_.columns_of.scratch();  // [rank][width]
    const auto narrowed = [&](const double* from) {
      for (std::size_t i = 0; i < f.rank * n; ++i) narrow[i] = static_cast<T>(from[i]);
      return row_major(static_cast<const T*>(narrow), n);
    };
    w_.columns_of.combine(backend_, exec_, f.rank, narrowed(w_.squares[2]).data, to.u, wanted);
    matmul(backend_, exec_, f.rank, cols_, n, narrowed(w_.squares[1]),
           row_major(static_cast<const T*>(w_.row_basis), cols_), to.v, cols_, false, w_.products, w_.stride);
    return f;
  }
  /// The least rank that has the energy asked for, or all.
  constexpr factorisation enough(std::size_t most) const {
    if (!(all_ > 0)) return {0, 1};
    double found = 0;
    std::size_t rank = 0;
    while (rank < most && found < o_.energy * all_) {
      found += w_.values[rank] * w_.values[rank];
      ++rank;
    }
    return {rank, math::min(1.0, found / all_)};
  }

  Backend backend_;
  E& exec_;
  std::size_t rows_, cols_;
  const T* a_;
  std::size_t lda_;
  factor_workspace<T>& w_;
  const factor_options& o_;
  std::size_t width_ = 0;
  T scale_{1};   // of all numbers, so that the largest is about 1
  T before_{1};  // a part of it: of what they are multiplied with
  double all_ = 0;
};

}  // namespace factor_detail

/// What is wrong with the options.
constexpr failure problem_of(const factor_options& o) {
  if (!(o.energy > 0 && o.energy <= 1))
    return {errc::invalid_argument, "ctlm: energy must be above 0 and at most 1", 0, 0, 0, "energy"};
  if (!(o.density >= 0 && o.density <= 1))
    return {errc::invalid_argument, "ctlm: density must be 0 to 1", 0, 0, 0, "density"};
  if (o.block == 0) return {errc::invalid_argument, "ctlm: block must be at least 1", 0, 0, 0, "block"};
  return {};
}

/// Factorises a [rows][cols], whose rows lie lda apart: a is about u diag(s) v. The bits follow from the seed and not
/// from the number of threads. Fails where numbers are not finite and `repair` is off; refuses matrices larger than the
/// workspace's limits.
template <class Backend, executor E, class T>
constexpr result<factorisation> factorise(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* a,
                                          std::size_t lda, const factors<T>& to, factor_workspace<T>& w,
                                          const factor_options& o = {}) {
  if (const failure f = problem_of(o); f.code != errc::ok) return f;
  const factor_limits& most = w.limits;
  check(rows > 0 && cols > 0, errc::invalid_argument,
        "ctlm: a matrix to factorise has at least one row and one column");
  check(rows <= most.rows && cols <= most.cols && o.rank <= most.rank,
        {errc::invalid_argument, "ctlm: a matrix of {needed} numbers or its rank is beyond the workspace's limits", 0,
         rows * cols, most.rows * most.cols});
  check(!o.repair || most.repairs, errc::invalid_argument,
        "ctlm: replacing numbers that are not finite needs a workspace whose limits say `repairs`");
  return factor_detail::work<T, Backend, E>(backend, exec, rows, cols, a, lda, w, o).run(to);
}

}}  // namespace ctlm
