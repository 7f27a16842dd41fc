// SPDX-License-Identifier: MIT
// ctlm: the few directions in which a gradient is largest.
#pragma once

#include "../../factor/factorise.hpp"
#include "../../factor/jacobi.hpp"
#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Finds the `rank` singular vectors of a gradient with the largest singular values, those of its short side:
/// P::place_scratch<T>(arena, backend, workers, rows, cols, rank) asks for scratch, and P::find(backend, exec, rows,
/// cols, g, rank, to, scratch, seed) writes them to the rows of `to` [rank][the smaller of rows and cols], or returns
/// false and leaves it.
template <class P>
concept projection_policy = requires(measuring_arena& a, serial& exec, const float* g, float* to, std::size_t n,
                                     const typename P::template scratch<float>& scratch) {
  { P::template place_scratch<float>(a, portable{}, n, n, n, n) } -> std::same_as<typename P::template scratch<float>>;
  { P::find(portable{}, exec, n, n, g, n, to, scratch, std::uint64_t{}) } -> std::same_as<bool>;
};

/// By random combinations (factor/factorise.hpp), with two power steps: a small part of the time of a full
/// decomposition, and nearly its directions.
struct randomised_projection {
  /// Of factorise().
  template <class T>
  struct scratch {
    factor_workspace<T> workspace;  ///< for matrices of this shape
    T* u;                           ///< [rows][rank]
    T* s;                           ///< [rank]
    T* v;                           ///< [rank][cols]
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend backend, std::size_t workers, std::size_t rows,
                                            std::size_t cols, std::size_t rank) {
    scratch<T> lent{};
    lent.workspace.place(a, backend, workers, {rows, cols, rank});
    lent.u = a.template allocate<T>(rows * rank);
    lent.s = a.template allocate<T>(rank);
    lent.v = a.template allocate<T>(rank * cols);
    return lent;
  }
  /// Not where numbers are not finite.
  template <class Backend, executor E, class T>
  static constexpr bool find(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* g, std::size_t rank,
                             T* to, const scratch<T>& lent, std::uint64_t seed) {
    factor_workspace<T> workspace = lent.workspace;
    const bool high = rows >= cols;
    const factors<T> f{lent.u, lent.s, high ? to : lent.v};
    if (!factorise(backend, exec, rows, cols, g, cols, f, workspace, {.rank = rank, .power_steps = 2, .seed = seed}))
      return false;
    for (std::size_t i = 0; !high && i < rank; ++i)
      for (std::size_t j = 0; j < rows; ++j) to[i * rows + j] = lent.u[j * rank + i];
    return true;
  }
};
static_assert(projection_policy<randomised_projection>);

/// By Jacobi's rotations in double (factor/jacobi.hpp): exact, and slow.
struct exact_projection {
  /// Of jacobi_svd().
  template <class T>
  struct scratch {
    double* x;  ///< [short][long]
    double* u;  ///< [short][short]
    double* s;  ///< [short]
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend, std::size_t, std::size_t rows, std::size_t cols,
                                            std::size_t) {
    const std::size_t low = smaller(rows, cols);
    double* const x = a.template allocate<double>(rows * cols);
    double* const u = a.template allocate<double>(low * low);
    return {x, u, a.template allocate<double>(low)};
  }
  /// Not where numbers are not finite.
  template <class Backend, executor E, class T>
  static constexpr bool find(Backend, E&, std::size_t rows, std::size_t cols, const T* g, std::size_t rank, T* to,
                             const scratch<T>& lent, std::uint64_t) {
    const std::size_t low = smaller(rows, cols), high = larger(rows, cols);
    if (!math::all_finite(rows * cols, g)) return false;
    for (std::size_t i = 0; i < low; ++i)
      for (std::size_t j = 0; j < high; ++j)
        lent.x[i * high + j] = static_cast<double>(rows >= cols ? g[j * cols + i] : g[i * cols + j]);
    jacobi_svd(low, high, lent.x, lent.u, lent.s);
    for (std::size_t i = 0; i < rank * low; ++i) to[i] = static_cast<T>(lent.u[i]);
    return true;
  }
};
static_assert(projection_policy<exact_projection>);

}}  // namespace ctlm
