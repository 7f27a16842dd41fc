// SPDX-License-Identifier: MIT
// ctlm: Muon (Jordan et al. 2024): the step of a matrix is its momentum with all singular values made about 1; all
// other weights are AdamW's. As PyTorch computes it, but in the numbers of training instead of bfloat16.
#pragma once

#include "../../kernels/matmul.hpp"
#include "adamw.hpp"
#include "row_sums.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Muon. Of a matrix of a layer: m = momentum m + (1 - momentum) g, then
/// w = w (1 - lr weight_decay) - lr size * orthogonalised(g + momentum (m - g)), where a few steps of Newton and Schulz
/// make the singular values about 1. Queries, keys and values are one matrix here. Embeddings, head, gains, biases and
/// routers follow AdamW with the options `others`, whose rate follows the schedule in proportion.
/// State: 1 number for each weight of a matrix, 2 for each of the others; scratch for one matrix.
struct muon {
  static constexpr const char* name = "muon";

  struct options {
    float lr = 1e-3f;            ///< of matrices: the learning rate that the schedule is given; at least 0
    float momentum = 0.95f;      ///< how much of the velocity stays at each step; at least 0, less than 1
    bool nesterov = true;        ///< whether a step looks ahead
    float weight_decay = 0.1f;   ///< at each step, matrices lose lr * weight_decay of themselves; at least 0
    std::size_t iterations = 5;  ///< of Newton and Schulz
    bool match_adamw = false;    ///< steps as large as AdamW's, so that its rate fits; else those of the first paper
    adamw::options others{};     ///< of everything that is no matrix of a layer
  };

  static constexpr failure problem_of(const options& o) {
    return first_problem(not_negative(static_cast<double>(o.lr), "optimizer.lr"),
                         below_one(static_cast<double>(o.momentum), "optimizer.momentum"),
                         not_negative(static_cast<double>(o.weight_decay), "optimizer.weight_decay"),
                         adamw::problem_of(o.others));
  }
  /// A group's factor of weight decay.
  static constexpr void scale_decay(options& o, float factor) {
    o.weight_decay *= factor;
    o.others.weight_decay *= factor;
  }

  /// Of matrices: momentum alone. Of others: AdamW's two moments.
  template <class T>
  struct state {
    T* moments[adamw::moments];  ///< [size]
  };
  template <class T, class A>
  static constexpr state<T> place_state(A& a, const weight_stack& s) {
    T* const first = a.template allocate<T>(s.size());
    return {{first, s.kind == weight_kind::hidden ? nullptr : a.template allocate<T>(s.size())}};
  }
  /// Of matrices: [short][long] the step, twice, [short][short] its products, and a product's workspace.
  template <class T>
  struct scratch {
    T* step;             ///< [short][long]
    T* next;             ///< [short][long]
    T* gram;             ///< [short][short] step times its transpose
    T* polynomial;       ///< [short][short]
    double* sums;        ///< [short]
    T* workspace;        ///< [workers][stride] of products
    std::size_t stride;  ///< numbers for each worker
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend backend, std::size_t workers, const weight_stack& s) {
    if (s.kind != weight_kind::hidden) return {};
    const std::size_t low = smaller(s.rows, s.cols), high = larger(s.rows, s.cols);
    const std::size_t stride =
        larger(gemm_workspace<T>(backend, low, low, low),
               larger(gemm_workspace<T>(backend, low, low, high), gemm_workspace<T>(backend, low, high, low)));
    T* const step = a.template allocate<T>(low * high);
    T* const next = a.template allocate<T>(low * high);
    T* const gram = a.template allocate<T>(low * low);
    T* const polynomial = a.template allocate<T>(low * low);
    double* const sums = a.template allocate<double>(low);
    return {step, next, gram, polynomial, sums, a.template allocate<T>(workers * stride), stride};
  }

  template <class Backend, executor E, class T>
  static constexpr void apply(Backend backend, E& exec, const weight_stack& s, T* w, const T* g, const state<T>& kept,
                              const scratch<T>& lent, const options& o, const update& u) {
    if (s.kind != weight_kind::hidden) return apply_adamw(backend, exec, s.size(), w, g, kept, o, u);
    const std::size_t n = s.rows * s.cols;
    for (std::size_t i = 0; i < s.matrices; ++i)
      apply_matrix(backend, exec, s.rows, s.cols, w + i * n, g + i * n, kept.moments[0] + i * n, lent, o, u);
  }

 private:
  static constexpr std::size_t chunk = 16384;  // numbers per task

  template <class Backend, class E, class T>
  static constexpr void apply_adamw(Backend backend, E& exec, std::size_t n, T* w, const T* g, const state<T>& kept,
                                    const options& o, update u) {
    u.lr *= o.lr > 0 ? static_cast<double>(o.others.lr) / static_cast<double>(o.lr) : 0;
    parallel_for(exec, n, chunk, [&](std::size_t first, std::size_t count, std::size_t) {
      T* moments[] = {kept.moments[0] + first, kept.moments[1] + first};
      adamw::apply(backend, count, w + first, g + first, moments, o.others, u);
    });
  }

  template <class Backend, class E, class T>
  static constexpr void apply_matrix(Backend backend, E& exec, std::size_t rows, std::size_t cols, T* w, const T* g,
                                     T* momentum, const scratch<T>& lent, const options& o, const update& u) {
    const bool high = rows > cols;
    look_ahead(backend, exec, rows, cols, g, momentum, lent.next, o, T(u.gradient_scale));
    if (high)
      transpose(exec, rows, cols, lent.next, lent.step);
    else
      parallel_for(exec, rows * cols, chunk, [&](std::size_t first, std::size_t n, std::size_t) {
        for (std::size_t i = first; i < first + n; ++i) lent.step[i] = lent.next[i];
      });
    const T* step = orthogonalise(backend, exec, smaller(rows, cols), larger(rows, cols), lent, o.iterations);
    if (high) {
      T* const other = step == lent.step ? lent.next : lent.step;
      transpose(exec, cols, rows, step, other);
      step = other;
    }
    const auto r = static_cast<double>(rows), c = static_cast<double>(cols);
    const double size = o.match_adamw ? 0.2 * math::sqrt(math::max(r, c)) : math::sqrt(math::max(1.0, r / c));
    const T rate = T(u.lr * size), keep = T(1 - (u.decay ? u.lr * static_cast<double>(o.weight_decay) : 0));
    parallel_for(exec, rows * cols, chunk, [&](std::size_t first, std::size_t n, std::size_t) {
      move_weights(backend, n, w + first, step + first, keep, rate);
    });
  }

  // Of a piece, and never inlined: whatever products the compiler merges with additions, it does so for every executor.
  /// w = keep w - rate d.
  template <class Backend, class T>
  CTLM_NOINLINE static constexpr void move_weights(Backend backend, std::size_t n, T* w, const T* d, T keep, T rate) {
    elementwise(
        backend, n, [=](auto& weight, const auto& direction) { weight = weight * keep - direction * rate; }, w, d);
  }
  /// p = b v + c p.
  template <class Backend, class T>
  CTLM_NOINLINE static constexpr void add_powers(Backend backend, std::size_t n, T* p, const T* v, T b, T c) {
    elementwise(
        backend, n, [=](auto& sum, const auto& power) { sum = power * b + sum * c; }, p, v);
  }
  /// The momentum m and the direction that follows from it and from the gradient.
  template <class Backend, class T>
  CTLM_NOINLINE static constexpr void look_ahead_piece(Backend backend, std::size_t n, T* momentum, T* to, const T* g,
                                                       T scale, T part, T ahead) {
    elementwise(
        backend, n,
        [=](auto& m, auto& direction, const auto& gradient) {
          const auto d = gradient * scale;
          m = m + (d - m) * part;
          direction = d + (m - d) * ahead;
        },
        momentum, to, g);
  }

  /// The momentum of this step, and the direction that follows from it.
  template <class Backend, class E, class T>
  static constexpr void look_ahead(Backend backend, E& exec, std::size_t rows, std::size_t cols, const T* g,
                                   T* momentum, T* to, const options& o, T scale) {
    const T keep = T(o.momentum), part = T(1) - keep, ahead = o.nesterov ? keep : T(1);
    parallel_for(exec, rows * cols, chunk, [&](std::size_t first, std::size_t n, std::size_t) {
      look_ahead_piece(backend, n, momentum + first, to + first, g + first, scale, part, ahead);
    });
  }

  template <class E, class T>
  static constexpr void transpose(E& exec, std::size_t rows, std::size_t cols, const T* from, T* to) {
    constexpr std::size_t tile = 16;
    parallel_for(exec, cols, tile, [&](std::size_t first, std::size_t n, std::size_t) {
      for (std::size_t i = 0; i < rows; i += tile)
        for (std::size_t j = first; j < first + n; ++j)
          for (std::size_t k = i; k < smaller(rows, i + tile); ++k) to[j * rows + k] = from[k * cols + j];
    });
  }

  /// Makes the singular values of lent.step [low][high] about 1, by a polynomial of degree five that is applied again
  /// and again; returns where the result is: in lent.step or lent.next.
  template <class Backend, class E, class T>
  static constexpr const T* orthogonalise(Backend backend, E& exec, std::size_t low, std::size_t high,
                                          const scratch<T>& lent, std::size_t iterations) {
    const T a = T(3.4445), b = T(-4.7750), c = T(2.0315);
    T* x = lent.step;
    T* y = lent.next;
    const double norm = math::sqrt(sum_rows(
        backend, exec, low, high, lent.sums, [](const auto& v) { return v * v; }, static_cast<const T*>(x)));
    scale_by(backend, exec, low * high, x, T(1 / math::max(norm, 1e-7)));
    for (std::size_t i = 0; i < iterations; ++i) {
      const strided<T> rows = row_major(static_cast<const T*>(x), high);
      const strided<T> gram = row_major(static_cast<const T*>(lent.gram), low);
      matmul(backend, exec, low, low, high, rows, rows.transposed(), lent.gram, low, false, lent.workspace,
             lent.stride);
      matmul(backend, exec, low, low, low, gram, gram, lent.polynomial, low, false, lent.workspace, lent.stride);
      add_powers(backend, low * low, lent.polynomial, static_cast<const T*>(lent.gram), b, c);
      matmul(backend, exec, low, high, low, row_major(static_cast<const T*>(lent.polynomial), low), rows, y, high,
             false, lent.workspace, lent.stride);
      parallel_for(exec, low * high, chunk, [&](std::size_t first, std::size_t n, std::size_t) {
        elementwise(
            backend, n, [=](auto& next, const auto& v) { next = next + v * a; }, y + first,
            static_cast<const T*>(x) + first);
      });
      T* const done = x;
      x = y;
      y = done;
    }
    return x;
  }
  template <class Backend, class E, class T>
  static constexpr void scale_by(Backend backend, E& exec, std::size_t n, T* x, T factor) {
    parallel_for(exec, n, chunk, [&](std::size_t first, std::size_t count, std::size_t) {
      elementwise(
          backend, count, [=](auto& v) { v *= factor; }, x + first);
    });
  }
};
static_assert(stack_optimizer<muon>);

}}  // namespace ctlm
