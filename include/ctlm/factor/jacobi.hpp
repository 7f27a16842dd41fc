// SPDX-License-Identifier: MIT
// ctlm: the singular value decomposition by one-sided Jacobi rotations (Hestenes 1958): slow and exact. It is what the
// randomised factorisation is compared with.
#pragma once

#include "../core/math.hpp"
#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Turns the rows of x [rows][cols] by pairs until all are orthogonal to each other, and the rows of y [rows][width]
/// with them.
template <class T>
constexpr void jacobi_orthogonalise(std::size_t rows, std::size_t cols, T* x, std::size_t width, T* y) {
  const auto dot = [&](std::size_t i, std::size_t j) {
    T total(0);
    for (std::size_t k = 0; k < cols; ++k) total += x[i * cols + k] * x[j * cols + k];
    return total;
  };
  const auto turn = [](std::size_t n, T cosine, T sine, T* p, T* q) {
    for (std::size_t k = 0; k < n; ++k) {
      const T a = p[k], b = q[k];
      p[k] = cosine * a - sine * b;
      q[k] = sine * a + cosine * b;
    }
  };
  bool turned = true;
  for (std::size_t sweeps = 0; turned && sweeps < 60; ++sweeps) {
    turned = false;
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = i + 1; j < rows; ++j) {
        const T a = dot(i, i), b = dot(j, j), c = dot(i, j);
        if (!(math::abs(c) > std::numeric_limits<T>::epsilon() * math::sqrt(a * b))) continue;
        turned = true;
        const T zeta = (b - a) / (T(2) * c);
        const T t = (zeta < T(0) ? T(-1) : T(1)) / (math::abs(zeta) + math::sqrt(T(1) + zeta * zeta));
        const T cosine = T(1) / math::sqrt(T(1) + t * t);
        turn(cols, cosine, cosine * t, x + i * cols, x + j * cols);
        turn(width, cosine, cosine * t, y + i * width, y + j * width);
      }
  }
}

/// x [rows][cols] as the sum of s[i] times row i of u, as a column, times row i of v: x becomes v, whose rows are
/// orthonormal where s > 0 and zeros elsewhere; s [rows] falls; the rows of u [rows][rows] are orthonormal.
template <class T>
constexpr void jacobi_svd(std::size_t rows, std::size_t cols, T* x, T* u, T* s) {
  for (std::size_t i = 0; i < rows * rows; ++i) u[i] = i % (rows + 1) == 0 ? T(1) : T(0);
  jacobi_orthogonalise(rows, cols, x, rows, u);
  for (std::size_t i = 0; i < rows; ++i) {
    T squares(0);
    for (std::size_t k = 0; k < cols; ++k) squares += x[i * cols + k] * x[i * cols + k];
    s[i] = math::sqrt(squares);
  }
  const auto exchange = [](T& y, T& z) {
    const T w = y;
    y = z, z = w;
  };
  for (std::size_t i = 0; i < rows; ++i) {
    std::size_t best = i;
    for (std::size_t j = i + 1; j < rows; ++j)
      if (s[j] > s[best]) best = j;
    if (best != i) {
      exchange(s[i], s[best]);
      for (std::size_t k = 0; k < cols; ++k) exchange(x[i * cols + k], x[best * cols + k]);
      for (std::size_t k = 0; k < rows; ++k) exchange(u[i * rows + k], u[best * rows + k]);
    }
    const T factor = s[i] > T(0) ? T(1) / s[i] : T(0);
    for (std::size_t k = 0; k < cols; ++k) x[i * cols + k] *= factor;
  }
}

}}  // namespace ctlm
