// SPDX-License-Identifier: MIT
// ctlm: an optimizer that sees the dominant part of gradients: rows balanced, projected to a low rank, a part of what
// that leaves added again. Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "../../factor/factorise.hpp"
#include "any_stack.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// By what the rows of a gradient are divided before it is projected, and multiplied afterwards.
enum class balance_rule : std::uint8_t {
  none,       ///< by nothing
  row_norms,  ///< their Euclidean norms: all rows count alike
  row_sums    ///< their sums, as published: a row whose numbers cancel out counts for far more than others
};

/// A gradient stabiliser around the optimizer Inner. Of a matrix of a layer, the gradient G becomes: W = G / D, D of
/// the rows; P, W's projection to rank_ratio of its short side; then `iterations` times, R = W - P, and P grows by
/// residual_scale times R's projection to residual_ratio; the result is D P, made shorter where it is longer than G.
/// Inner sees that, and all other gradients as they are. NaN counts as 0, an infinity as 1 with its sign (a trainer
/// leaves such steps out anyway). State: Inner's.
/// Most is the largest rank_ratio in percent that there is room for.
template <optimizer_policy Inner, std::size_t Most = 15>
struct stabilised {
  static_assert(Most > 0 && Most <= 100, "ctlm: stabilised<Inner, Most> takes 1 to 100 percent");
  static constexpr const char* name = "stabilised";

  struct options {
    float lr = 1e-3f;  ///< the learning rate that the schedule is given; that of `inner` is not used
    balance_rule balance = balance_rule::row_norms;  ///< of rows
    float rank_ratio = 0.1f;                         ///< of the short side: what is kept; above 0, at most Most percent
    float residual_ratio =
        0.05f;                    ///< of the short side: what of the rest is added again; above 0, at most Most percent
    std::size_t iterations = 1;   ///< how often that is done
    float residual_scale = 0.1f;  ///< times what is added again
    float threshold = 1e-6f;      ///< a row's norm or sum counts as at least so much; above 0
    bool keep_norm = false;       ///< a result that is shorter than G is made longer, too
    std::size_t power_steps = 0;  ///< of the factorisations
    std::uint64_t seed = 1;       ///< of the factorisations
    typename Inner::options inner{};  ///< of the optimizer

    /// The published presets: most of the gradient stays here.
    static constexpr options conservative() { return {.rank_ratio = 0.15f, .iterations = 1}; }
    /// Less stays, and nothing is added again.
    static constexpr options balanced() { return {.rank_ratio = 0.1f, .iterations = 0}; }
    /// Least stays.
    static constexpr options aggressive() { return {.rank_ratio = 0.08f, .iterations = 0, .threshold = 1e-5f}; }
  };

  static constexpr failure problem_of(const options& o) {
    constexpr double most = static_cast<double>(Most) / 100 + 1e-6;
    const auto fits = [](float ratio) { return ratio > 0 && static_cast<double>(ratio) <= most; };
    constexpr const char* beyond = "ctlm: {name} must be above 0 and at most the percentage of stabilised<>";
    return first_problem(option_rules()
                             .not_negative(o.lr, "optimizer.lr")
                             .positive(o.threshold, "optimizer.threshold")
                             .not_negative(o.residual_scale, "optimizer.residual_scale")
                             .rule(fits(o.rank_ratio), beyond, "optimizer.rank_ratio")
                             .rule(fits(o.residual_ratio), beyond, "optimizer.residual_ratio"),
                         options_problem<Inner>(o.inner));
  }
  /// A group's factor of weight decay.
  static constexpr void scale_decay(options& o, float factor) { scale_decay_of<Inner>(o.inner, factor); }

  /// Inner's.
  template <class T>
  using state = typename any_stack<Inner>::template state<T>;
  template <class T, class A>
  static constexpr state<T> place_state(A& a, const weight_stack& s) {
    return any_stack<Inner>::template place_state<T>(a, s);
  }
  /// The gradient that Inner sees, and what a factorisation needs.
  template <class T>
  struct scratch {
    T* gradient;                                           ///< [matrices][rows][cols]
    T* divisors;                                           ///< [rows]
    double* sums;                                          ///< [rows]
    factors<T> low;                                        ///< of one matrix
    factor_workspace<T> workspace;                         ///< of a factorisation
    typename any_stack<Inner>::template scratch<T> inner;  ///< of the optimizer
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend backend, std::size_t workers, const weight_stack& s) {
    scratch<T> lent{};
    if (s.kind == weight_kind::hidden) {
      const std::size_t rank = rank_of(s, static_cast<double>(Most) / 100);
      lent.gradient = a.template allocate<T>(s.size());
      lent.divisors = a.template allocate<T>(s.rows);
      lent.sums = a.template allocate<double>(s.rows);
      lent.low.u = a.template allocate<T>(s.rows * rank);
      lent.low.s = a.template allocate<T>(rank);
      lent.low.v = a.template allocate<T>(rank * s.cols);
      lent.workspace.place(a, backend, workers, {s.rows, s.cols, rank});
    }
    lent.inner = any_stack<Inner>::template place_scratch<T>(a, backend, workers, s);
    return lent;
  }

  template <class Backend, executor E, class T>
  static constexpr void apply(Backend backend, E& exec, const weight_stack& s, T* w, const T* g, const state<T>& kept,
                              const scratch<T>& lent, const options& o, update u) {
    typename Inner::options inner = o.inner;
    inner.lr = o.lr;
    if (s.kind == weight_kind::hidden) {
      for (std::size_t i = 0; i < s.matrices; ++i)
        stabilise(backend, exec, s, g + i * s.rows * s.cols, lent.gradient + i * s.rows * s.cols, lent, o,
                  T(u.gradient_scale), mix(o.seed, u.step + i));
      g = lent.gradient;
      u.gradient_scale = 1;
    }
    any_stack<Inner>::apply(backend, exec, s, w, g, kept, lent.inner, inner, u);
  }

 private:
  static constexpr std::size_t rank_of(const weight_stack& s, double ratio) {
    return larger(1, static_cast<std::size_t>(ratio * static_cast<double>(smaller(s.rows, s.cols)) + 1e-6));
  }
  template <class T>
  static constexpr T finite(T x) {
    return math::isfinite(x) ? x : x != x ? T(0) : x > T(0) ? T(1) : T(-1);
  }
  /// f(row) for all rows, which are shared out; the sum of what it returns.
  template <class E, class T, class F>
  static constexpr double of_rows(E& exec, const weight_stack& s, const scratch<T>& lent, F&& f) {
    parallel_for(exec, s.rows, larger(1, 16384 / s.cols), [&](std::size_t first, std::size_t n, std::size_t) {
      for (std::size_t r = first; r < first + n; ++r) lent.sums[r] = f(r);
    });
    double total = 0;
    for (std::size_t r = 0; r < s.rows; ++r) total += lent.sums[r];
    return total;
  }
  template <class Backend, class T, class F>
  static constexpr double sum_of(Backend backend, std::size_t n, const T* x, F&& f) {
    constexpr std::size_t stretch = 1024;
    double total = 0;
    for (std::size_t j = 0; j < n; j += stretch)
      total += static_cast<double>(sum(backend, smaller(stretch, n - j), f, x + j));
    return total;
  }
  static constexpr auto square = [](const auto& v) { return v * v; };

  // Of one row, and never inlined: whatever products the compiler merges with additions, it does so for every executor.
  /// out = a row of W, and its divisor; returns the square of the gradient's length.
  template <class Backend, class T>
  CTLM_NOINLINE static constexpr double balance_row(Backend backend, std::size_t n, const T* in, T scale,
                                                    const options& o, T& divided_by, T* out) {
    for (std::size_t j = 0; j < n; ++j) out[j] = finite(in[j] * scale);
    const double squares = sum_of(backend, n, out, square);
    double divisor = 1;
    if (o.balance == balance_rule::row_norms) divisor = math::sqrt(squares);
    if (o.balance == balance_rule::row_sums) divisor = sum_of(backend, n, out, [](const auto& v) { return v; });
    const double least = static_cast<double>(o.threshold);
    if (o.balance != balance_rule::none && !(math::abs(divisor) > least)) divisor = divisor < 0 ? -least : least;
    divided_by = T(divisor);
    if (o.balance != balance_rule::none)
      elementwise(
          backend, n, [f = T(1 / divisor)](auto& v) { v *= f; }, out);
    return squares;
  }
  /// out, what is left of a row of W, becomes what was taken over, with its size again; returns the square of its
  /// length.
  template <class Backend, class T>
  CTLM_NOINLINE static constexpr double restore_row(Backend backend, std::size_t n, const T* in, T scale, T divisor,
                                                    T* out) {
    for (std::size_t j = 0; j < n; ++j) out[j] = finite(in[j] * scale) - divisor * out[j];
    return sum_of(backend, n, out, square);
  }

  /// to = the dominant part of scale g.
  template <class Backend, class E, class T>
  static constexpr void stabilise(Backend backend, E& exec, const weight_stack& s, const T* g, T* to,
                                  const scratch<T>& lent, const options& o, T scale, std::uint64_t seed) {
    const double length = balance(backend, exec, s, g, to, lent, o, scale);
    subtract(backend, exec, s, to, lent, o, rank_of(s, static_cast<double>(o.rank_ratio)), T(1), seed);
    for (std::size_t i = 0; i < o.iterations; ++i) {
      const double rest =
          of_rows(exec, s, lent, [&](std::size_t r) { return sum_of(backend, s.cols, to + r * s.cols, square); });
      if (!(rest >= 1e-16)) break;
      subtract(backend, exec, s, to, lent, o, rank_of(s, static_cast<double>(o.residual_ratio)), T(o.residual_scale),
               mix(seed, i + 1));
    }
    // What is left of W is what is not taken over.
    const double result = of_rows(exec, s, lent, [&](std::size_t r) {
      return restore_row(backend, s.cols, g + r * s.cols, scale, lent.divisors[r], to + r * s.cols);
    });
    const double factor = result > 0 ? math::sqrt(length / result) : 1;
    if (!(factor < 1 || o.keep_norm)) return;
    of_rows(exec, s, lent, [&](std::size_t r) {
      elementwise(
          backend, s.cols, [f = T(factor)](auto& v) { v *= f; }, to + r * s.cols);
      return 0.0;
    });
  }
  /// to = W, and lent.divisors D; returns the square of G's length.
  template <class Backend, class E, class T>
  static constexpr double balance(Backend backend, E& exec, const weight_stack& s, const T* g, T* to,
                                  const scratch<T>& lent, const options& o, T scale) {
    return of_rows(exec, s, lent, [&](std::size_t r) {
      return balance_row(backend, s.cols, g + r * s.cols, scale, o, lent.divisors[r], to + r * s.cols);
    });
  }
  /// w -= factor times its projection to the rank.
  template <class Backend, class E, class T>
  static constexpr void subtract(Backend backend, E& exec, const weight_stack& s, T* w, const scratch<T>& lent,
                                 const options& o, std::size_t rank, T factor, std::uint64_t seed) {
    factor_workspace<T> workspace = lent.workspace;
    const auto found = factorise(backend, exec, s.rows, s.cols, static_cast<const T*>(w), s.cols, lent.low, workspace,
                                 {.rank = rank, .power_steps = o.power_steps, .seed = seed});
    if (!found) {  // numbers that are infinite once they are divided: G stays as it is
      for (std::size_t i = 0; i < s.rows * s.cols; ++i) w[i] = T(0);
      return;
    }
    for (std::size_t i = 0; i < rank; ++i) {
      const T value = lent.low.s[i] * factor;
      elementwise(
          backend, s.cols, [=](auto& v) { v = -(v * value); }, lent.low.v + i * s.cols);
    }
    matmul(backend, exec, s.rows, s.cols, rank, row_major(static_cast<const T*>(lent.low.u), rank),
           row_major(static_cast<const T*>(lent.low.v), s.cols), w, s.cols, true, workspace.products, workspace.stride);
  }
};

}}  // namespace ctlm
