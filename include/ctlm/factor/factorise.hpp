// SPDX-License-Identifier: MIT
// ctlm: a matrix as a product of low rank, A = U S V: its directions (directions.hpp), and the decomposition of what it
// is in them. Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "directions.hpp"
#include "jacobi.hpp"

namespace ctlm { inline namespace CTLM_ABI {

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
namespace factor_detail {

template <class T, class Backend, class E>
class work {
 public:
  constexpr work(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* a, std::size_t lda,
                 factor_workspace<T>& w, const factor_options& o)
      : found_(backend, exec, rows, cols, a, lda, w, o),
        backend_(backend),
        exec_(exec),
        rows_(rows),
        cols_(cols),
        w_(w),
        o_(o) {}

  constexpr result<factorisation> run(const factors<T>& to) {
    const std::size_t wanted = smaller(o_.rank == 0 ? w_.limits.rank : o_.rank, smaller(rows_, cols_));
    if (const auto r = found_.find(factor_limits::width(rows_, cols_, wanted)); !r) return r.error();
    decompose();
    return write(wanted, to);
  }

 private:
  /// The singular values and vectors of the small matrix K = R^T, whose rows are the directions in the columns' basis:
  /// K = W2 S W1^T from the eigenvectors of K K^T in double. W2^T is left in squares[1] and W1^T in squares[2].
  constexpr void decompose() {
    const std::size_t n = found_.width();
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
    const std::size_t n = found_.width();
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
    factorisation f{smaller(wanted, found_.width()), 0};
    if (o_.energy < 1) f = enough(f.rank);
    const std::size_t n = found_.width();
    for (std::size_t i = 0; i < f.rank; ++i)
      to.s[i] = static_cast<T>(w_.values[i] / static_cast<double>(found_.scale()));
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
    const double all = found_.energy();
    if (!(all > 0)) return {0, 1};
    double found = 0;
    std::size_t rank = 0;
    while (rank < most && found < o_.energy * all) {
      found += w_.values[rank] * w_.values[rank];
      ++rank;
    }
    return {rank, math::min(1.0, found / all)};
  }

  directions<T, Backend, E> found_;
  Backend backend_;
  E& exec_;
  std::size_t rows_, cols_;
  factor_workspace<T>& w_;
  const factor_options& o_;
};

}  // namespace factor_detail

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
