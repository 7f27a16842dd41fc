// SPDX-License-Identifier: MIT
// ctlm: Adafactor (Shazeer and Stern 2018), as PyTorch computes it: the second moments of a matrix are kept as those of
// its rows and of its columns.
#pragma once

#include "optimizer.hpp"
#include "row_sums.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Adafactor. With g the gradient, R and C the means of g^2 over rows and columns, averaged over the steps with
/// 1 - step^beta2_decay: u = g / sqrt(R C / mean(R)), limited so that its root mean square is at most `limit`, and
/// w = w (1 - lr weight_decay) - max(eps2, rms(w)) min(lr, 1 / sqrt(step)) u. The rate is relative to the size of the
/// weights. State: rows + cols numbers for each matrix; vectors have a second moment for each weight.
struct adafactor {
  static constexpr const char* name = "adafactor";

  struct options {
    float lr = 1e-2f;           ///< the relative rate that the schedule is given; at least 0
    float beta2_decay = -0.8f;  ///< how fast the averages become long: 1 - step^beta2_decay of them stays; at most 0
    float eps1 = 0.0f;          ///< what a root mean square is at least; at least 0; 0: the numbers' machine epsilon
    float eps2 = 1e-3f;         ///< what the root mean square of weights counts as at least; at least 0
    float limit = 1.0f;         ///< of the root mean square of an update; above 0
    float weight_decay = 0.0f;  ///< at each step, matrices lose lr * weight_decay of themselves; at least 0
  };

  static constexpr failure problem_of(const options& o) {
    return first_problem(
        not_negative(static_cast<double>(o.lr), "optimizer.lr"),
        option_problem(o.beta2_decay <= 0, "ctlm: {name} must be a number of at most 0", "optimizer.beta2_decay"),
        not_negative(static_cast<double>(o.eps1), "optimizer.eps1"),
        not_negative(static_cast<double>(o.eps2), "optimizer.eps2"),
        positive(static_cast<double>(o.limit), "optimizer.limit"),
        not_negative(static_cast<double>(o.weight_decay), "optimizer.weight_decay"));
  }

  /// The second moments of a stack: of rows [matrices][rows] (nullptr where there is one row), and of columns
  /// [matrices][cols].
  template <class T>
  struct state {
    T* rows;  ///< [matrices][rows]
    T* cols;  ///< [matrices][cols]
  };
  template <class T, class A>
  static constexpr state<T> place_state(A& a, const weight_stack& s) {
    return {s.rows > 1 ? a.template allocate<T>(s.matrices * s.rows) : nullptr,
            a.template allocate<T>(s.matrices * s.cols)};
  }
  /// Sums of rows [rows], and their factors [rows] and those of columns [cols].
  template <class T>
  struct scratch {
    double* sums;    ///< [rows]
    T* row_factors;  ///< [rows]
    T* col_factors;  ///< [cols]
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend, std::size_t, const weight_stack& s) {
    return {a.template allocate<double>(s.rows), a.template allocate<T>(s.rows), a.template allocate<T>(s.cols)};
  }

  template <class Backend, executor E, class T>
  static constexpr void apply(Backend backend, E& exec, const weight_stack& s, T* w, const T* g, const state<T>& kept,
                              const scratch<T>& lent, const options& o, const update& u) {
    for (std::size_t i = 0; i < s.matrices; ++i)
      apply_matrix(backend, exec, s.rows, s.cols, w + i * s.rows * s.cols, g + i * s.rows * s.cols,
                   state<T>{s.rows > 1 ? kept.rows + i * s.rows : nullptr, kept.cols + i * s.cols}, lent, o, u);
  }

 private:
  template <class Backend, class E, class T>
  static constexpr void apply_matrix(Backend backend, E& exec, std::size_t rows, std::size_t cols, T* w, const T* g,
                                     const state<T>& kept, const scratch<T>& lent, const options& o, const update& u) {
    const auto n = static_cast<double>(rows * cols), step = static_cast<double>(u.step);
    const double rho = math::min(u.lr, 1 / math::sqrt(step));
    const double squares = sum_rows(
        backend, exec, rows, cols, lent.sums, [](const auto& v) { return v * v; }, static_cast<const T*>(w));
    const double alpha = math::max(static_cast<double>(o.eps2), math::sqrt(squares / n)) * rho;
    average(backend, exec, rows, cols, g, kept, lent, T(math::pow(step, static_cast<double>(o.beta2_decay))),
            T(u.gradient_scale));
    const T eps = o.eps1 > 0 ? T(o.eps1) : std::numeric_limits<T>::epsilon();
    factors(rows, cols, kept, lent, eps);
    // u = g * min(1 / eps, 1 / sqrt(R C)); the factors are R / mean(R), and C, before the root.
    const auto direction = [least = eps * eps, scale = T(u.gradient_scale)](const auto& gradient, const auto& square) {
      using math::max;
      using math::sqrt;
      using V = std::decay_t<decltype(square * least)>;
      return gradient * scale / sqrt(max(V(square), constant<V>(least)));
    };
    const double norm = math::sqrt(of_rows(exec, rows, cols, lent, [&](std::size_t r, std::size_t j, std::size_t m) {
      const T factor = lent.row_factors[r];
      return static_cast<double>(sum(
          backend, m,
          [=](const auto& gradient, const auto& column) {
            const auto d = direction(gradient, column * factor);
            return d * d;
          },
          g + r * cols + j, static_cast<const T*>(lent.col_factors) + j));
    }));
    const double denominator = math::max(1.0, norm / (math::sqrt(n) * static_cast<double>(o.limit)));
    const T rate = T(alpha / denominator), keep = T(1 - (u.decay ? u.lr * static_cast<double>(o.weight_decay) : 0));
    of_rows(exec, rows, cols, lent, [&](std::size_t r, std::size_t j, std::size_t m) {
      const T factor = lent.row_factors[r];
      elementwise(
          backend, m,
          [=](auto& weight, const auto& gradient, const auto& column) {
            weight = weight * keep - direction(gradient, column * factor) * rate;
          },
          w + r * cols + j, g + r * cols + j, static_cast<const T*>(lent.col_factors) + j);
      return 0.0;
    });
  }

  /// f(row, first column, columns) for stretches of all rows, which are shared out; the sum of what it returns.
  template <class E, class T, class F>
  static constexpr double of_rows(E& exec, std::size_t rows, std::size_t cols, const scratch<T>& lent, F&& f) {
    constexpr std::size_t stretch = 1024;
    parallel_for(exec, rows, larger(1, 16384 / cols), [&](std::size_t first, std::size_t n, std::size_t) {
      for (std::size_t r = first; r < first + n; ++r) {
        double total = 0;
        for (std::size_t j = 0; j < cols; j += stretch) total += f(r, j, smaller(stretch, cols - j));
        lent.sums[r] = total;
      }
    });
    double total = 0;
    for (std::size_t r = 0; r < rows; ++r) total += lent.sums[r];
    return total;
  }

  /// Moves the averages towards this step's means of squares by `share`.
  template <class Backend, class E, class T>
  static constexpr void average(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* g,
                                const state<T>& kept, const scratch<T>& lent, T share, T scale) {
    const auto square = [=](const auto& v) { return (v * scale) * (v * scale); };
    if (kept.rows != nullptr) {
      sum_rows(backend, exec, rows, cols, lent.sums, square, g);
      for (std::size_t r = 0; r < rows; ++r)
        kept.rows[r] += (T(lent.sums[r] / static_cast<double>(cols)) - kept.rows[r]) * share;
    }
    parallel_for(exec, cols, 64, [&](std::size_t first, std::size_t n, std::size_t) {
      T* const sums = lent.col_factors + first;
      for (std::size_t j = 0; j < n; ++j) sums[j] = T(0);
      for (std::size_t r = 0; r < rows; ++r)
        elementwise(
            backend, n, [=](auto& s, const auto& v) { s = s + square(v); }, sums, g + r * cols + first);
      const T part = T(1) / static_cast<T>(rows);
      elementwise(
          backend, n, [=](auto& mean, const auto& s) { mean = mean + (s * part - mean) * share; }, kept.cols + first,
          static_cast<const T*>(sums));
    });
  }

  /// What the estimate of g^2 consists of: a factor for each row, and one for each column.
  template <class T>
  static constexpr void factors(std::size_t rows, std::size_t cols, const state<T>& kept, const scratch<T>& lent,
                                T eps) {
    for (std::size_t j = 0; j < cols; ++j) lent.col_factors[j] = kept.cols[j];
    double total = 0;
    if (kept.rows != nullptr)
      for (std::size_t r = 0; r < rows; ++r) total += static_cast<double>(kept.rows[r]);
    const T mean = math::max(T(total / static_cast<double>(rows)), eps);
    for (std::size_t r = 0; r < rows; ++r) lent.row_factors[r] = kept.rows == nullptr ? T(1) : kept.rows[r] / mean;
  }
};
static_assert(stack_optimizer<adafactor>);

}}  // namespace ctlm
