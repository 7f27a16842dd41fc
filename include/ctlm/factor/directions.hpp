// SPDX-License-Identifier: MIT
// ctlm: the directions that hold most of a matrix, from random combinations of its rows (Halko, Martinsson and Tropp
// 2011, "Finding structure with randomness"): as many as are wanted, or some at a time until they hold enough of it.
#pragma once

#include "sketch.hpp"
#include "workspace.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace factor_detail {

/// Leaves in a workspace an orthonormal basis of most of the rows of a [rows][cols], row_basis, and what the rows are
/// in it, scaled: the vectors of columns_of.
template <class T, class Backend, class E>
class directions {
 public:
  constexpr directions(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* a, std::size_t lda,
                       factor_workspace<T>& w, const factor_options& o)
      : backend_(backend), exec_(exec), rows_(rows), cols_(cols), a_(a), lda_(lda), w_(w), o_(o) {}

  /// `width` of them, or fewer where they hold the energy asked for. Fails where numbers are not finite and may not be
  /// replaced.
  constexpr result<void> find(std::size_t width) {
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
    grow(width, first);
    return {};
  }
  /// How many there are.
  constexpr std::size_t width() const { return width_; }
  /// By what all numbers were multiplied, so that the largest is about 1.
  constexpr T scale() const { return scale_; }
  /// The sum of squares of all numbers, scaled; 0 where no energy was asked for.
  constexpr double energy() const { return all_; }

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
  constexpr void grow(std::size_t width, std::size_t n) {
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

}}  // namespace ctlm
