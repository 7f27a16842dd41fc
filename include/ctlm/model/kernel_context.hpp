// SPDX-License-Identifier: MIT
// ctlm: what a model's computations have in common: how to compute, who computes, and where.
#pragma once

#include "../kernels/factored.hpp"
#include "../kernels/ops.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The scratch of factored projections of model M; nothing where it has none.
template <class M>
using factored_scratch_of =
    std::conditional_t<M::shape.is_factored(), factored_scratch<typename M::real>, no_factored_scratch>;

/// What every kernel call of a model needs: how to compute, who computes, and scratch. F is how its matrices are
/// stored, Backend the model's, or, in a trainer, the same with products in 16 bits.
template <class M, class F = typename M::weights::format, class Backend = typename M::backend_policy>
struct kernel_context {
  [[no_unique_address]] Backend backend{};                            ///< which kernels
  typename M::executor_policy* exec = nullptr;                        ///< who runs them
  linear_workspace<Backend, F, typename M::compute_format> linear{};  ///< scratch of linear layers

  /// Scratch of attention, one for each worker.
  attention_workspace<typename M::real> attention[M::executor_policy::max_workers]{};

  /// Scratch of factored projections, where there are some.
  [[no_unique_address]] factored_scratch_of<M> factored{};
};

/// Asks an arena for scratch of a model's factored projections over up to `rows` rows.
template <class M, class Context, class A>
constexpr void place_factors(Context& c, A& a, std::size_t rows, bool backward) {
  if constexpr (M::shape.is_factored())
    c.factored = decltype(c.factored)::place(a, rows, most_rank(M::shape), backward ? most_factored_rows(M::shape) : 0);
}

/// Holds the user's executor, or, for one without state, an instance of its own.
template <class E>
struct executor_slot {
  constexpr executor_slot() = default;
  /// Remembers the executor, which must outlive the slot.
  constexpr executor_slot(E& e) : exec(&e) {}
  /// The executor.
  constexpr E* get() { return exec; }
  E* exec = nullptr;  ///< the user's; get() hands it out
};
template <class E>
requires std::is_empty_v<E>
struct executor_slot<E> {
  constexpr executor_slot() = default;
  constexpr executor_slot(E&) {}
  constexpr E* get() { return &own; }
  E own{};
};

}}  // namespace ctlm
