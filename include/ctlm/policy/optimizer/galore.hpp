// SPDX-License-Identifier: MIT
// ctlm: GaLore (Zhao et al. 2024): an optimizer whose state lives in the few directions in which gradients are largest.
// Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "any_stack.hpp"
#include "projection.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// GaLore. Of a matrix of a layer whose short side is longer than Rank: every `period` steps its gradient's first Rank
/// singular vectors P of the short side are found; at each step the optimizer Inner sees the gradient in them, g P^T
/// (or P g), and its step goes back through P, times `scale`. All other weights are Inner's. Moments stay as they are
/// where P changes, whose new vectors point to the side to which the old ones did.
/// State: Inner's for long side times Rank numbers instead of all, and P.
template <optimizer_policy Inner, std::size_t Rank, projection_policy Projection = randomised_projection>
struct galore {
  static_assert(Rank > 0, "ctlm: galore<Inner, Rank> needs a rank of at least 1");
  static constexpr const char* name = "galore";

  struct options {
    float lr = 1e-3f;                 ///< the learning rate that the schedule is given; that of `inner` is not used
    float scale = 0.25f;              ///< times the steps of projected matrices; at least 0
    std::size_t period = 200;         ///< steps between projections; at least 1
    std::uint64_t seed = 1;           ///< of the projections
    typename Inner::options inner{};  ///< of the optimizer; its weight decay is that of whole weights
  };

  static constexpr failure problem_of(const options& o) {
    return first_problem(option_rules().not_negative(o.lr, "optimizer.lr").not_negative(o.scale, "optimizer.scale"),
                         some_steps(o.period, "optimizer.period"), options_problem<Inner>(o.inner));
  }
  /// A group's factor of weight decay.
  static constexpr void scale_decay(options& o, float factor) { scale_decay_of<Inner>(o.inner, factor); }

  /// P and its age, where there is one, and the optimizer's.
  template <class T>
  struct state {
    T* basis;                                            ///< [matrices][Rank][short side]
    std::uint64_t* found_at;                             ///< [1] the step at which P was found; 0: not yet
    typename any_stack<Inner>::template state<T> inner;  ///< of the projected stack, or of the whole
  };
  template <class T, class A>
  static constexpr state<T> place_state(A& a, const weight_stack& s) {
    if (!projects(s)) return {nullptr, nullptr, any_stack<Inner>::template place_state<T>(a, s)};
    T* const basis = a.template allocate<T>(s.matrices * Rank * smaller(s.rows, s.cols));
    std::uint64_t* const found_at = a.template allocate<std::uint64_t>(1);
    return {basis, found_at, any_stack<Inner>::template place_state<T>(a, projected(s))};
  }
  /// The projected gradient and step, and what finds P.
  template <class T>
  struct scratch {
    T* gradient;         ///< [matrices][long side][Rank], or [matrices][Rank][long side]
    T* step;             ///< the same
    T* next;             ///< [Rank][short side]
    T* products;         ///< [workers][stride]
    std::size_t stride;  ///< numbers for each worker
    typename Projection::template scratch<T> projection;   ///< of one matrix
    typename any_stack<Inner>::template scratch<T> inner;  ///< of the projected stack, or of the whole
  };
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A& a, Backend backend, std::size_t workers, const weight_stack& s) {
    scratch<T> lent{};
    if (!projects(s)) {
      lent.inner = any_stack<Inner>::template place_scratch<T>(a, backend, workers, s);
      return lent;
    }
    const weight_stack low = projected(s);
    lent.gradient = a.template allocate<T>(low.size());
    lent.step = a.template allocate<T>(low.size());
    lent.next = a.template allocate<T>(Rank * smaller(s.rows, s.cols));
    lent.stride = larger(gemm_workspace<T>(backend, low.rows, low.cols, smaller(s.rows, s.cols)),
                         gemm_workspace<T>(backend, s.rows, s.cols, Rank));
    lent.products = a.template allocate<T>(workers * lent.stride);
    lent.projection = Projection::template place_scratch<T>(a, backend, workers, s.rows, s.cols, Rank);
    lent.inner = any_stack<Inner>::template place_scratch<T>(a, backend, workers, low);
    return lent;
  }

  template <class Backend, executor E, class T>
  static constexpr void apply(Backend backend, E& exec, const weight_stack& s, T* w, const T* g, const state<T>& kept,
                              const scratch<T>& lent, const options& o, const update& u) {
    typename Inner::options inner = o.inner;
    inner.lr = o.lr;
    if (!projects(s)) return any_stack<Inner>::apply(backend, exec, s, w, g, kept.inner, lent.inner, inner, u);
    const bool first = *kept.found_at == 0;
    if (first || u.step - static_cast<std::size_t>(*kept.found_at) >= o.period) {
      for (std::size_t i = 0; i < s.matrices; ++i)
        find(backend, exec, s, g + i * s.rows * s.cols, kept.basis + i * basis_size(s), lent, mix(o.seed, u.step + i));
      *kept.found_at = u.step;
    }
    const weight_stack low = projected(s);
    for (std::size_t i = 0; i < s.matrices; ++i)
      project(backend, exec, s, g + i * s.rows * s.cols, kept.basis + i * basis_size(s),
              lent.gradient + i * low.rows * low.cols, lent);
    for (std::size_t i = 0; i < low.size(); ++i) lent.step[i] = T(0);
    update within = u;
    within.decay = false;
    any_stack<Inner>::apply(backend, exec, low, lent.step, static_cast<const T*>(lent.gradient), kept.inner, lent.inner,
                            inner, within);
    float decay = 0;
    if constexpr (requires { inner.weight_decay; }) decay = inner.weight_decay;
    const T keep = T(1 - (u.decay ? u.lr * static_cast<double>(decay) : 0)), scale = T(o.scale);
    parallel_for(exec, low.size(), chunk, [&](std::size_t begin, std::size_t n, std::size_t) {
      elementwise(
          backend, n, [=](auto& v) { v *= scale; }, lent.step + begin);
    });
    parallel_for(exec, keep == T(1) ? 0 : s.size(), chunk, [&](std::size_t begin, std::size_t n, std::size_t) {
      elementwise(
          backend, n, [=](auto& v) { v *= keep; }, w + begin);
    });
    for (std::size_t i = 0; i < s.matrices; ++i)
      go_back(backend, exec, s, lent.step + i * low.rows * low.cols, kept.basis + i * basis_size(s),
              w + i * s.rows * s.cols, lent);
  }

 private:
  static constexpr std::size_t chunk = 16384;  // numbers per task

  static constexpr bool projects(const weight_stack& s) {
    return s.kind == weight_kind::hidden && smaller(s.rows, s.cols) > Rank;
  }
  static constexpr weight_stack projected(const weight_stack& s) {
    if (s.rows >= s.cols) return {s.matrices, s.rows, Rank, s.kind};
    return {s.matrices, Rank, s.cols, s.kind};
  }
  static constexpr std::size_t basis_size(const weight_stack& s) { return Rank * smaller(s.rows, s.cols); }
  template <class T>
  static constexpr strided<T> rows_of(const T* x, std::size_t stride) {
    return row_major(x, stride);
  }

  /// P of this gradient; each vector on the side of the one before it.
  template <class Backend, class E, class T>
  static constexpr void find(Backend backend, E& exec, const weight_stack& s, const T* g, T* basis,
                             const scratch<T>& lent, std::uint64_t seed) {
    const std::size_t n = smaller(s.rows, s.cols);
    if (!Projection::find(backend, exec, s.rows, s.cols, g, Rank, lent.next, lent.projection, seed)) return;
    for (std::size_t i = 0; i < Rank; ++i) {
      T* const old = basis + i * n;
      const T* const found = lent.next + i * n;
      const T along = sum(
          backend, n, [](const auto& a, const auto& b) { return a * b; }, found, static_cast<const T*>(old));
      for (std::size_t j = 0; j < n; ++j) old[j] = along < T(0) ? -found[j] : found[j];
    }
  }
  template <class Backend, class E, class T>
  static constexpr void project(Backend backend, E& exec, const weight_stack& s, const T* g, const T* basis, T* to,
                                const scratch<T>& lent) {
    if (s.rows >= s.cols)
      matmul(backend, exec, s.rows, Rank, s.cols, rows_of(g, s.cols), rows_of(basis, s.cols).transposed(), to, Rank,
             false, lent.products, lent.stride);
    else
      matmul(backend, exec, Rank, s.cols, s.rows, rows_of(basis, s.rows), rows_of(g, s.cols), to, s.cols, false,
             lent.products, lent.stride);
  }
  /// w += step P, or P^T step.
  template <class Backend, class E, class T>
  static constexpr void go_back(Backend backend, E& exec, const weight_stack& s, const T* step, const T* basis, T* w,
                                const scratch<T>& lent) {
    const bool high = s.rows >= s.cols;
    matmul(backend, exec, s.rows, s.cols, Rank, high ? rows_of(step, Rank) : rows_of(basis, s.rows).transposed(),
           high ? rows_of(basis, s.cols) : rows_of(step, s.cols), w, s.cols, true, lent.products, lent.stride);
  }
};

}}  // namespace ctlm
