// SPDX-License-Identifier: MIT
// ctlm: all eigenvalues and eigenvectors of a small symmetric matrix: Householder's tridiagonal form, then rotations by
// the implicit QL method (Golub and Van Loan, "Matrix Computations", 8.3).
#pragma once

#include "../kernels/matmul.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What symmetric_eigen needs for a moment, for matrices of up to n rows.
struct eigen_scratch {
  double* below = nullptr;      ///< [n] beside the diagonal
  double* taus = nullptr;       ///< [n] of the reflections
  double* work = nullptr;       ///< [n]
  double* rotations = nullptr;  ///< [2 n] of one sweep

  /// Asks an arena for it.
  template <class A>
  constexpr void place(A& a, std::size_t n) {
    below = a.template allocate<double>(n);
    taus = a.template allocate<double>(n);
    work = a.template allocate<double>(n);
    rotations = a.template allocate<double>(2 * n);
  }
};

namespace eigen_detail {

template <class Backend>
constexpr double dot(Backend backend, std::size_t n, const double* x, const double* y) {
  return sum(
      backend, n, [](const auto& a, const auto& b) { return a * b; }, x, y);
}
template <class Backend>
constexpr void add(Backend backend, std::size_t n, double factor, const double* x, double* y) {
  elementwise(
      backend, n, [=](auto& to, const auto& v) { to = to + v * factor; }, y, x);
}

/// The first number of a row's part from `begin` on, or some before it, so that registers are full to the row's end.
constexpr std::size_t full_registers(std::size_t n, std::size_t begin) {
  const std::size_t length = round_up(n - begin, 8);
  return length < n ? n - length : 0;
}

/// a [n][n] becomes tridiagonal: values [n] and s.below[1..]; row k of `a` keeps reflection k behind its diagonal, and
/// zeros up to there.
template <class Backend>
constexpr void tridiagonalise(Backend backend, std::size_t n, double* a, double* values, const eigen_scratch& s) {
  for (std::size_t k = 0; k + 2 < n; ++k) {
    double* const v = a + k * n;
    const std::size_t first = full_registers(n, k + 1), m = n - first;
    const double head = v[k + 1];
    values[k] = v[k];
    for (std::size_t j = 0; j <= k + 1; ++j) v[j] = 0;
    const double tail = dot(backend, m, v + first, v + first);
    if (!(tail > 0)) {
      s.taus[k] = 0;
      s.below[k + 1] = head;
      continue;
    }
    const double norm = math::sqrt(head * head + tail), beta = head > 0 ? -norm : norm, tau = (beta - head) / beta;
    const double factor = 1 / (head - beta);
    for (std::size_t j = k + 2; j < n; ++j) v[j] *= factor;
    v[k + 1] = 1;
    s.taus[k] = tau;
    s.below[k + 1] = beta;
    for (std::size_t j = first; j <= k; ++j) s.work[j] = 0;
    for (std::size_t j = k + 1; j < n; ++j) s.work[j] = tau * dot(backend, m, a + j * n + first, v + first);
    add(backend, m, -tau / 2 * dot(backend, m, s.work + first, v + first), v + first, s.work + first);
    for (std::size_t j = k + 1; j < n; ++j) {
      const double x = v[j], y = s.work[j];
      elementwise(
          backend, m, [=](auto& to, const auto& w, const auto& u) { to = to - (w * x + u * y); }, a + j * n + first,
          static_cast<const double*>(s.work) + first, static_cast<const double*>(v) + first);
    }
  }
  if (n > 1) s.below[n - 1] = a[(n - 2) * n + n - 1];
  for (std::size_t k = n < 2 ? 0 : n - 2; k < n; ++k) values[k] = a[k * n + k];
}

/// Row i of `vectors` becomes row i of the matrix that leads from the tridiagonal form back, transposed.
template <class Backend, class E>
constexpr void unfold(Backend backend, E& exec, std::size_t n, const double* a, const eigen_scratch& s,
                      double* vectors) {
  parallel_for(exec, n, 16, [&](std::size_t first, std::size_t count, std::size_t) {
    for (std::size_t i = first; i < first + count; ++i) {
      double* const x = vectors + i * n;
      for (std::size_t j = 0; j < n; ++j) x[j] = 0;
      x[i] = 1;
      for (std::size_t k = smaller(i, n < 2 ? 0 : n - 2); k-- > 0;) {
        const std::size_t begin = full_registers(n, k + 1);
        const double* const v = a + k * n + begin;
        add(backend, n - begin, -s.taus[k] * dot(backend, n - begin, v, x + begin), v, x + begin);
      }
    }
  });
}

/// The rotation of one pair of rows.
struct rotation {
  double c, w;
  template <class V>
  constexpr void operator()(V& x, V& y) const {
    const auto z = y;
    y = x * w + z * c;
    x = x * c - z * w;
  }
};

/// Rotates rows low .. high + 1 of the vectors, the last pair first, as one sweep of QL has it.
template <class Backend, class E>
constexpr void rotate(Backend backend, E& exec, std::size_t n, std::size_t low, std::size_t high,
                      const double* rotations, double* vectors) {
  constexpr std::size_t stripe = 64;
  const auto of = [&](std::size_t i) { return rotation{rotations[2 * i], rotations[2 * i + 1]}; };
  const auto columns = [&](std::size_t first, std::size_t count, std::size_t) {
    const auto row = [&](std::size_t i) { return vectors + i * n + first; };
    std::size_t i = high + 1;
    for (; i >= low + 4; i -= 4)  // a row stays in registers from one pair to the next
      elementwise(
          backend, count,
          [r0 = of(i - 4), r1 = of(i - 3), r2 = of(i - 2), r3 = of(i - 1)](auto& a, auto& b, auto& c, auto& d,
                                                                           auto& e) {
            r3(d, e);
            r2(c, d);
            r1(b, c);
            r0(a, b);
          },
          row(i - 4), row(i - 3), row(i - 2), row(i - 1), row(i));
    while (i-- > low) elementwise(backend, count, of(i), row(i), row(i + 1));
  };
  if (exec.workers() == 1 || (high - low) * n < parallel_threshold / 8)
    for (std::size_t first = 0; first < n; first += stripe) columns(first, smaller(stripe, n - first), 0);
  else
    parallel_for(exec, n, stripe, columns);
}

constexpr double hypotenuse(double x, double y) { return math::sqrt(x * x + y * y); }

/// One sweep of QL with an implicit shift over rows low..high of the tridiagonal matrix; returns the first rotation,
/// which is not `low` where the matrix falls into two.
constexpr std::size_t sweep(double* d, double* e, std::size_t low, std::size_t high, double* rotations) {
  double g = (d[low + 1] - d[low]) / (2 * e[low]);
  const double r = hypotenuse(g, 1);
  g = d[high] - d[low] + e[low] / (g + (g < 0 ? -r : r));
  double s = 1, c = 1, p = 0;
  for (std::size_t i = high; i-- > low;) {
    const double f = s * e[i], b = c * e[i], length = hypotenuse(f, g);
    e[i + 1] = length;
    if (!(length > 0)) {
      d[i + 1] -= p;
      e[high] = 0;
      return i + 1;
    }
    s = f / length;
    c = g / length;
    g = d[i + 1] - p;
    const double t = (d[i] - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
    rotations[2 * i] = c;
    rotations[2 * i + 1] = s;
  }
  d[low] -= p;
  e[low] = g;
  e[high] = 0;
  return low;
}

}  // namespace eigen_detail

/// The eigenvalues of the symmetric matrix a [n][n], which is lost, to values [n], and their eigenvectors to the rows
/// of vectors [n][n], in no order. Numbers should be so small that their squares are finite.
template <class Backend, executor E>
constexpr void symmetric_eigen(Backend backend, E& exec, std::size_t n, double* a, double* values, double* vectors,
                               const eigen_scratch& s) {
  using namespace eigen_detail;
  if (n == 0) return;
  tridiagonalise(backend, n, a, values, s);
  unfold(backend, exec, n, a, s, vectors);
  double* const e = s.below;
  for (std::size_t i = 1; i < n; ++i) e[i - 1] = e[i];
  e[n - 1] = 0;
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = math::max(largest, math::abs(values[i]) + math::abs(e[i]));
  const double nothing = largest * std::numeric_limits<double>::epsilon() / 4;
  for (std::size_t low = 0; low < n; ++low)
    for (std::size_t tries = 0; tries < 60; ++tries) {
      std::size_t high = low;
      while (high + 1 < n && math::abs(e[high]) > nothing) ++high;
      if (high == low) break;
      const std::size_t first = sweep(values, e, low, high, s.rotations);
      if (first < high) rotate(backend, exec, n, first, high - 1, s.rotations, vectors);
    }
}

}}  // namespace ctlm
