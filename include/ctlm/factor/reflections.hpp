// SPDX-License-Identifier: MIT
// ctlm: an orthonormal basis of given vectors, by Householder's reflections: orthonormal to rounding whatever the
// vectors are, dependent ones and zeros too.
#pragma once

#include "../kernels/matmul.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A basis that grows some vectors at a time. Vectors are rows here: what is factored is V = R^T Q with the rows of Q
/// orthonormal, as Q R of the transposed. Reflections are kept in blocks, I - W^T T W (Schreiber and Van Loan 1989), so
/// that nearly all of the work is matrix products.
template <class T>
class reflections {
  static constexpr std::size_t panel = 12;      // vectors reflected one by one before the others are by a product
  static constexpr std::size_t stretch = 1024;  // numbers whose sum is made in T; their sums are added in double

 public:
  /// Room for `capacity` vectors of up to `length` numbers; capacity is at most the length.
  template <class A>
  constexpr void place(A& a, std::size_t capacity, std::size_t length) {
    capacity_ = capacity;
    vectors_ = a.template allocate<T>(capacity * length);
    t_ = a.template allocate<T>(capacity * capacity);
    r_ = a.template allocate<T>(capacity * capacity);
    one_ = a.template allocate<T>(capacity * capacity);
    two_ = a.template allocate<T>(capacity * capacity);
    three_ = a.template allocate<T>(capacity * capacity);
  }
  /// Numbers of workspace that each worker needs.
  template <class Backend>
  static constexpr std::size_t workspace(Backend backend, std::size_t capacity, std::size_t length) {
    return larger(larger(gemm_workspace<T>(backend, capacity, capacity, length),
                         gemm_workspace<T>(backend, length, capacity, capacity)),
                  larger(gemm_workspace<T>(backend, capacity, length, capacity),
                         gemm_workspace<T>(backend, capacity, capacity, capacity)));
  }

  /// Forgets all vectors; those to come have `length` numbers. The scratch of products is the caller's.
  constexpr void start(std::size_t length, T* products, std::size_t stride) {
    length_ = length;
    count_ = 0;
    products_ = products;
    stride_ = stride;
  }
  /// Vectors that there are.
  constexpr std::size_t count() const { return count_; }
  /// Forgets all but the first n.
  constexpr void keep(std::size_t n) { count_ = n; }
  /// Where the next vectors are to be written before append(): [vectors][length].
  constexpr T* next() { return vectors_ + count_ * length_; }
  /// The same memory behind the first n vectors, for a basis of its own while this one is empty.
  constexpr reflections behind(std::size_t n) const {
    reflections other = *this;
    other.vectors_ += n * length_;
    return other;
  }
  /// Memory for [capacity][capacity] numbers, which this leaves alone.
  constexpr T* scratch() { return three_; }
  /// R^T: row i holds vector i in the basis, i + 1 numbers; rows lie stride_of_r() apart.
  constexpr const T* r() const { return r_; }
  constexpr std::size_t stride_of_r() const { return capacity_; }

  /// Takes the n vectors at next() into the basis, in whose place the reflections stay.
  template <class Backend, executor E>
  constexpr void append(Backend backend, E& exec, std::size_t n) {
    for (std::size_t done = 0; done < n; done += panel) {
      const std::size_t width = smaller(panel, n - done);
      if (count_ > 0) reflect(backend, exec, width);
      for (std::size_t i = 0; i < width; ++i) eliminate(backend, exec, count_ + i, count_ + width);
      join(backend, exec, width);
      count_ += width;
    }
  }

  /// Vectors [first, first + n) of the basis, to `to` [n][length].
  template <class Backend, executor E>
  constexpr void vectors(Backend backend, E& exec, std::size_t first, std::size_t n, T* to) const {
    const std::size_t all = first + n;
    // Row i of the reflections is 0 before its number i, so that rows after `all` leave these vectors as they are.
    matmul(backend, exec, n, all, all, strided<T>{vectors_ + first, 1, length_}, t().transposed(), one_, all, false,
           products_, stride_);
    negate(backend, n * all, one_);
    matmul(backend, exec, n, length_, all, row_major(static_cast<const T*>(one_), all), rows(0), to, length_, false,
           products_, stride_);
    for (std::size_t i = 0; i < n; ++i) to[i * length_ + first + i] += T(1);
  }

  /// `to` [length][n] = the basis's vectors, as columns, times the columns that are the rows of `mixed` [n][count]: so
  /// a combination of them needs no vectors first. Rows of `to` lie `stride` apart.
  template <class Backend, executor E>
  constexpr void combine(Backend backend, E& exec, std::size_t n, const T* mixed, T* to, std::size_t stride) {
    const std::size_t all = count_;
    // The first `all` numbers of the reflections, times mixed: [n][all].
    matmul(backend, exec, n, all, all, row_major(mixed, all), strided<T>{vectors_, length_, 1}.transposed(), one_, all,
           false, products_, stride_);
    matmul(backend, exec, n, all, all, row_major(static_cast<const T*>(one_), all), t().transposed(), two_, all, false,
           products_, stride_);
    negate(backend, n * all, two_);
    matmul(backend, exec, length_, n, all, rows(0).transposed(),
           row_major(static_cast<const T*>(two_), all).transposed(), to, stride, false, products_, stride_);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < all; ++j) to[j * stride + i] += mixed[i * all + j];
  }

 private:
  constexpr strided<T> rows(std::size_t first) const {
    return row_major(static_cast<const T*>(vectors_) + first * length_, length_);
  }
  constexpr strided<T> t() const { return row_major(static_cast<const T*>(t_), capacity_); }
  template <class Backend>
  static constexpr void negate(Backend backend, std::size_t n, T* x) {
    elementwise(
        backend, n, [](auto& v) { v = -v; }, x);
  }

  /// All earlier reflections at once, of the next `width` vectors: v -= v W^T T W.
  template <class Backend, class E>
  constexpr void reflect(Backend backend, E& exec, std::size_t width) {
    const std::size_t before = count_;
    matmul(backend, exec, width, before, length_, rows(before), rows(0).transposed(), one_, before, false, products_,
           stride_);
    matmul(backend, exec, width, before, before, row_major(static_cast<const T*>(one_), before), t(), two_, before,
           false, products_, stride_);
    negate(backend, width * before, two_);
    matmul(backend, exec, width, length_, before, row_major(static_cast<const T*>(two_), before), rows(0), next(),
           length_, true, products_, stride_);
  }

  /// Makes the reflection that leaves nothing of vector i behind its number i, and reflects vectors up to `end`.
  template <class Backend, class E>
  constexpr void eliminate(Backend backend, E& exec, std::size_t i, std::size_t end) {
    T* const v = vectors_ + i * length_;
    T* const r = r_ + i * capacity_;
    for (std::size_t j = 0; j < i; ++j) r[j] = v[j], v[j] = T(0);
    const std::size_t rest = length_ - i - 1;
    const double head = static_cast<double>(v[i]);
    const double tail = dot(backend, rest, v + i + 1, v + i + 1);
    const double norm = math::sqrt(head * head + tail);
    // So small a tail has lost digits: what it would tell is below rounding beside vectors of a usual size.
    constexpr double least = static_cast<double>(std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon());
    T tau(0), factor(0);
    r[i] = v[i];
    if (tail > least) {
      const double beta = head > 0 ? -norm : norm;
      tau = T((beta - head) / beta);
      factor = T(1 / (head - beta));
      r[i] = T(beta);
    }
    elementwise(
        backend, rest, [=](auto& x) { x *= factor; }, v + i + 1);
    v[i] = T(1);
    t_[i * capacity_ + i] = tau;
    const auto others = [&](std::size_t k) {
      T* const y = vectors_ + k * length_ + i;
      const T along = T(static_cast<double>(tau) * dot(backend, rest + 1, v + i, y));
      elementwise(
          backend, rest + 1, [=](auto& to, const auto& x) { to = to - x * along; }, y, static_cast<const T*>(v) + i);
    };
    if (exec.workers() == 1 || (end - i) * rest < parallel_threshold / 4)
      for (std::size_t k = i + 1; k < end; ++k) others(k);
    else
      exec.run(end - i - 1, [&](std::size_t task, std::size_t) { others(i + 1 + task); });
  }

  /// The columns of T of the reflections that were just made.
  template <class Backend, class E>
  constexpr void join(Backend backend, E& exec, std::size_t width) {
    const std::size_t before = count_, all = before + width;
    T* const gram = one_;  // [width][all] of the new reflections with all of them
    matmul(backend, exec, width, all, length_, rows(before), rows(0).transposed(), gram, all, false, products_,
           stride_);
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t column = before + i;
      const T tau = t_[column * capacity_ + column];
      for (std::size_t a = 0; a < i; ++a) {
        T total(0);
        for (std::size_t c = a; c < i; ++c)
          total += t_[(before + a) * capacity_ + before + c] * gram[i * all + before + c];
        t_[(before + a) * capacity_ + column] = -tau * total;
        t_[column * capacity_ + before + a] = T(0);
      }
      for (std::size_t a = 0; a < before; ++a) t_[column * capacity_ + a] = T(0);
    }
    if (before == 0) return;
    matmul(backend, exec, before, width, before, t(), row_major(static_cast<const T*>(gram), all).transposed(), two_,
           width, false, products_, stride_);
    negate(backend, before * width, two_);
    matmul(backend, exec, before, width, width, row_major(static_cast<const T*>(two_), width), t().from(before, before),
           t_ + before, capacity_, false, products_, stride_);
  }

  template <class Backend>
  static constexpr double dot(Backend backend, std::size_t n, const T* x, const T* y) {
    double total = 0;
    for (std::size_t i = 0; i < n; i += stretch)
      total += static_cast<double>(sum(
          backend, smaller(stretch, n - i), [](const auto& a, const auto& b) { return a * b; }, x + i, y + i));
    return total;
  }

  T* vectors_ = nullptr;   // [capacity][length] W: reflections; 0 before the diagonal, 1 on it
  T* t_ = nullptr;         // [capacity][capacity] T: upper triangle
  T* r_ = nullptr;         // [capacity][capacity]
  T* one_ = nullptr;       // [capacity][capacity] scratch
  T* two_ = nullptr;       // [capacity][capacity] scratch
  T* three_ = nullptr;     // [capacity][capacity] the caller's
  T* products_ = nullptr;  // scratch of matrix products
  std::size_t stride_ = 0, capacity_ = 0, length_ = 0, count_ = 0;
};

}}  // namespace ctlm
