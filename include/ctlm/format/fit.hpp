// SPDX-License-Identifier: MIT
// ctlm: how a group of numbers becomes integers: which scale (and minimum) it gets.
//
// The group's error is the sum of (w - image)^2 * w^2: large weights contribute most to what a model computes, and to
// represent them well is worth some accuracy of small ones. Measured on a model of 135M parameters, int4<32> adds 0.40
// to the loss, and 0.51 with plain squares; asymmetric groups gain nothing measurable, and with four levels it is plain
// squares that lose less (docs/quantisation.md). Where it is known how large the inputs of the columns are, their mean
// squares can be given: then it is they that each term is multiplied with.
//
// Sixteen candidates are tried at once, one in each lane of a vector; the best is then fitted once more to the codes
// that it led to. All sums are made in a fixed order of products that no compiler merges with them (math::product), so
// that every build, and the compiler itself, chooses the same bits.
#pragma once

#include "fit_lanes.hpp"

namespace ctlm { inline namespace CTLM_ABI {

#if CTLM_FIT_WIDTH > 0
namespace fit_detail {

/// Groups whose scales are searched for together: what follows the search is a chain of operations that wait for each
/// other, and the processor can work at several of them.
inline constexpr std::size_t fit_batch = 4;

/// The best of the candidates for a group of finite numbers.
template <class F>
CTLM_INLINE judged<F> searched(const group_in_lanes& g, const extremes& e) {
  judged<F> first = best_candidate<F>(g, e, 0.0f);
  for (int i = 1; g.importance != nullptr && i < 4; ++i) {  // cut off more and more, while it helps
    const judged<F> other = best_candidate<F>(g, e, 0.12f * static_cast<float>(i));
    if (!(other.error < first.error)) break;
    first = other;
  }
  return first;
}

/// best_affine of `count` groups of n numbers each, at most fit_batch, whose numbers fill all lanes.
template <class F>
CTLM_NOINLINE void fit_together(const float* w, std::size_t n, std::size_t count, const float* importance,
                                affine<F>* best) {
  group_in_lanes g[fit_batch];
  extremes e[fit_batch];
  for (std::size_t k = 0; k < count; ++k) {
    g[k] = {{w + k * n, importance == nullptr ? nullptr : importance + k * n, n, F::favours_large}};
    e[k] = extremes_of(g[k]);
  }
  if constexpr (requires { F::fit(g[0], e[0]); }) {
    for (std::size_t k = 0; k < count; ++k) best[k] = e[k].finite() ? F::fit(g[k], e[k]) : affine<F>();
  } else if constexpr (F::searched) {
    judged<F> first[fit_batch];
    affine<F> again[fit_batch];
    for (std::size_t k = 0; k < count; ++k) first[k] = e[k].finite() ? searched<F>(g[k], e[k]) : judged<F>{{}, 0.0f};
    for (std::size_t k = 0; k < count; ++k) again[k] = refitted(first[k].a, g[k]);
    for (std::size_t k = 0; k < count; ++k) best[k] = error_of(again[k], g[k]) < first[k].error ? again[k] : first[k].a;
  } else {
    for (std::size_t k = 0; k < count; ++k) {
      float scale = 0, base = 0;
      if (e[k].finite()) reach<F>(e[k], affine<F>::highest, 0, 0, scale, base);
      best[k] = affine<F>(scale, base);
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    if (!e[k].finite())
      best[k] = affine<F>::not_finite();
    else if (best[k].scale == 0.0f && e[k].farthest() != 0.0f)
      best[k] = least_affine(best[k], e[k], g[k]);
  }
}

}  // namespace fit_detail
#endif

/// The scale (and minimum) of a group of n numbers. `importance`, if given, has the mean square of each column's input.
/// A group that holds a NaN or an infinity is NaN as a whole. A format may bring a rule of its own: F::fit(group,
/// extremes), for groups of finite numbers.
template <class F>
constexpr affine<F> best_affine(const float* w, std::size_t n, const float* importance = nullptr) {
  const auto e = fit_detail::extremes_of(w, n);
  if (!e.finite()) return affine<F>::not_finite();
  const fit_detail::group g{w, importance, n, F::favours_large};
  affine<F> best;
  if constexpr (requires { F::fit(g, e); }) {
    best = F::fit(g, e);
  } else if constexpr (F::searched) {
    auto first = fit_detail::candidates<F>(e).best(g);
    for (int i = 1; importance != nullptr && i < 4; ++i) {  // cut off more and more, while it helps
      const auto other = fit_detail::candidates<F>(e, 0.12f * static_cast<float>(i)).best(g);
      if (!(other.error < first.error)) break;
      first = other;
    }
    const affine<F> again = fit_detail::refitted(first.a, g);
    best = fit_detail::error_of(again, g) < first.error ? again : first.a;
  } else {
    float scale = 0, base = 0;
    fit_detail::reach<F>(e, affine<F>::highest, 0, 0, scale, base);
    best = affine<F>(scale, base);
  }
  return best.scale != 0.0f || e.farthest() == 0.0f ? best : fit_detail::least_affine(best, e, g);
}

}}  // namespace ctlm
