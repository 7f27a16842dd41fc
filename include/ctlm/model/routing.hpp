// SPDX-License-Identifier: MIT
// ctlm: which experts the rows of a layer take (Shazeer et al. 2017): softmax of the router's logits, of which each row
// takes the highest; forward beside backward. An expert then reads its rows side by side, whatever rows they are.
#pragma once

#include "../format/f32.hpp"
#include "../format/f64.hpp"
#include "../kernels/ops.hpp"
#include "../spec/decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The experts of the rows of one layer. A pick is one expert of one row: number row * experts_per_token + k is the
/// k-th of this row. Of models with experts alone; in others all pointers are nullptr.
template <class T>
struct routing {
  T* probabilities = nullptr;        ///< [rows][experts]; the backward pass leaves the gradients of the logits here
  T* shares = nullptr;               ///< [picks] factors of what the experts make
  std::uint32_t* experts = nullptr;  ///< [picks] which expert; of a row, the most probable first
  std::uint32_t* order = nullptr;    ///< [picks] numbers of all picks, by expert and then by row
  std::uint32_t* first = nullptr;    ///< [experts + 1] where the picks of each expert begin in `order`
  T* moved = nullptr;                ///< [rows][d_model] rows that one expert reads or has written, for a moment

  /// Asks an arena for all buffers but `moved`; for none if the shape has no experts.
  template <class A>
  static constexpr routing place(A& a, const decoder_shape& s, std::size_t rows) {
    routing r;
    if (s.experts == 0) return r;
    const std::size_t picks = rows * s.experts_per_token;
    r.probabilities = a.template allocate<T>(rows * s.experts);
    r.shares = a.template allocate<T>(picks);
    r.experts = a.template allocate<std::uint32_t>(picks);
    r.order = a.template allocate<std::uint32_t>(picks);
    r.first = a.template allocate<std::uint32_t>(s.experts + 1);
    return r;
  }
};

namespace routing_detail {

/// The `take` highest of n probabilities, the highest first; of equal ones, the one with the lower number. If they are
/// not numbers, some.
template <class T>
constexpr void choose(std::size_t n, const T* probabilities, std::size_t take, std::uint32_t* chosen) {
  for (std::size_t k = 0; k < take; ++k) {
    std::size_t best = n;
    for (std::size_t e = 0; e < n; ++e) {
      if (best != n && !(probabilities[e] > probabilities[best])) continue;
      bool taken = false;
      for (std::size_t i = 0; i < k; ++i) taken = taken || chosen[i] == e;
      if (!taken) best = e;
    }
    chosen[k] = static_cast<std::uint32_t>(best);
  }
}

/// Sorts the picks of all rows by expert; those of one expert stay in the order of their rows.
template <class T>
constexpr void sort_by_expert(std::size_t experts, std::size_t picks, const routing<T>& r) {
  for (std::size_t e = 0; e <= experts; ++e) r.first[e] = 0;
  for (std::size_t i = 0; i < picks; ++i) ++r.first[r.experts[i] + 1];
  for (std::size_t e = 0; e < experts; ++e) r.first[e + 1] += r.first[e];
  for (std::size_t i = 0; i < picks; ++i) r.order[r.first[r.experts[i]]++] = static_cast<std::uint32_t>(i);
  for (std::size_t e = experts; e > 0; --e) r.first[e] = r.first[e - 1];  // each had moved to the next one's place
  r.first[0] = 0;
}

/// How a router's numbers are stored: they are the numbers of arithmetic themselves.
template <class T>
using router_format = std::conditional_t<std::same_as<T, double>, f64, f32>;
/// A router's matrix, or its gradients, [experts][d_model], as products take it.
template <class T>
constexpr auto router_view(T* p, std::size_t experts, std::size_t d_model) {
  using view = typename router_format<std::remove_const_t<T>>::template view<std::is_const_v<T>>;
  return view{p, experts, d_model};
}

}  // namespace routing_detail

/// Chooses the experts of all rows of x [rows][d] by the router, [experts][d], where d is d_model. The logits of a row
/// are computed in the same way whatever rows come with it.
template <class M, class Context, class T>
constexpr void route(Context& c, const T* router, std::size_t d, std::size_t rows, const T* x, const routing<T>& r) {
  constexpr std::size_t n = M::shape.experts, take = M::shape.experts_per_token;
  parallel_for(*c.exec, rows, larger(1, 65536 / (n * d)), [&](std::size_t begin, std::size_t count, std::size_t) {
    for (std::size_t row = begin; row < begin + count; ++row) {
      T* const p = r.probabilities + row * n;
      dot_products(exact_products(c.backend), 1, n, d, x + row * d, d, router, d, p, n, false);
      softmax(c.backend, n, p);
      routing_detail::choose(n, static_cast<const T*>(p), take, r.experts + row * take);
      T total = 0;
      for (std::size_t k = row * take; k < (row + 1) * take; ++k) total += r.shares[k] = p[r.experts[k]];
      if constexpr (M::shape.normalised_experts)
        for (std::size_t k = row * take; k < (row + 1) * take; ++k) r.shares[k] /= total;
    }
  });
  routing_detail::sort_by_expert(n, rows * take, r);
}

/// From the gradients of the shares [picks] to those of the router's logits, in the place of the probabilities. Which
/// experts a row takes is no function with a slope: experts that it does not take have a gradient by the softmax alone,
/// and none where the shares are normalised.
template <class M, class Context, class T>
constexpr void route_backward_logits(Context& c, std::size_t rows, const T* dshares, const routing<T>& r) {
  constexpr std::size_t n = M::shape.experts, take = M::shape.experts_per_token;
  parallel_for(*c.exec, rows, larger(1, 8192 / n), [&](std::size_t begin, std::size_t count, std::size_t) {
    for (std::size_t row = begin; row < begin + count; ++row) {
      T* const p = r.probabilities + row * n;
      T mean = 0;
      for (std::size_t k = row * take; k < (row + 1) * take; ++k) mean += r.shares[k] * dshares[k];
      for (std::size_t e = 0; e < n; ++e) p[e] = M::shape.normalised_experts ? T(0) : -p[e] * mean;
      for (std::size_t k = row * take; k < (row + 1) * take; ++k) p[r.experts[k]] = r.shares[k] * (dshares[k] - mean);
    }
  });
}

/// From the gradients of the logits, which route_backward_logits left, to those of the router, which are added to
/// drouter, and of its input x, which are added to dx.
template <class M, class Context, class T>
constexpr void route_backward(Context& c, const T* router, std::size_t rows, const T* x, const routing<T>& r,
                              T* drouter, T* dx) {
  using routing_detail::router_view;
  const T* const dlogits = r.probabilities;
  constexpr std::size_t n = M::shape.experts, d = M::shape.d_model;
  linear_backward_weight(c.backend, *c.exec, rows, dlogits, x, router_view(drouter, n, d), true,
                         static_cast<T*>(nullptr), c.linear);
  linear_backward_input(c.backend, *c.exec, rows, dlogits, router_view(router, n, d), dx, true, c.linear);
}

/// f(expert, first, count) for every expert that some row takes: its picks are `count` from order[first] on.
template <class M, class T, class F>
constexpr void for_each_expert(const routing<T>& r, F&& f) {
  for (std::size_t e = 0; e < M::shape.experts; ++e)
    if (r.first[e] < r.first[e + 1])
      f(e, static_cast<std::size_t>(r.first[e]), static_cast<std::size_t>(r.first[e + 1] - r.first[e]));
}

/// to[i] = the row of x [rows][d_model] that pick order[first + i] is of.
template <class M, class Context, class T>
constexpr void gather_rows(Context& c, const routing<T>& r, std::size_t first, std::size_t count, const T* x, T* to) {
  constexpr std::size_t d = M::shape.d_model, take = M::shape.experts_per_token;
  parallel_for(*c.exec, count, larger(1, 16384 / d), [&](std::size_t begin, std::size_t n, std::size_t) {
    for (std::size_t i = begin; i < begin + n; ++i)
      elementwise(
          c.backend, d, [](auto& copy, const auto& v) { copy = v; }, to + i * d, x + r.order[first + i] / take * d);
  });
}

/// The row of x [rows][d_model] that pick order[first + i] is of += factor(pick) * from[i]. Picks of one expert are of
/// different rows.
template <class M, class Context, class T, class Factor>
constexpr void scatter_rows(Context& c, const routing<T>& r, std::size_t first, std::size_t count, const T* from, T* x,
                            Factor factor) {
  constexpr std::size_t d = M::shape.d_model, take = M::shape.experts_per_token;
  parallel_for(*c.exec, count, larger(1, 16384 / d), [&](std::size_t begin, std::size_t n, std::size_t) {
    for (std::size_t i = begin; i < begin + n; ++i) {
      const std::size_t pick = r.order[first + i];
      const T by = factor(pick);
      elementwise(
          c.backend, d, [=](auto& sum, const auto& v) { sum += v * by; }, x + pick / take * d, from + i * d);
    }
  });
}

}}  // namespace ctlm
