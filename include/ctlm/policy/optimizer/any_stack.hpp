// SPDX-License-Identifier: MIT
// ctlm: an optimizer of either kind as one of whole matrices, so that others can be wrapped around it.
#pragma once

#include "optimizer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A stack_optimizer as it is.
template <optimizer_policy O>
struct any_stack : O {};

/// An optimizer of single weights: its state is O::moments numbers for each.
template <elementwise_optimizer O>
struct any_stack<O> : O {
  /// The moments of a stack.
  template <class T>
  struct state {
    T* moments[larger(1, O::moments)];  ///< [size] each
  };
  template <class T, class A>
  static constexpr state<T> place_state(A& a, const weight_stack& s) {
    state<T> kept{};
    for (std::size_t i = 0; i < O::moments; ++i) kept.moments[i] = a.template allocate<T>(s.size());
    return kept;
  }
  /// None.
  template <class T>
  struct scratch {};
  template <class T, class A, class Backend>
  static constexpr scratch<T> place_scratch(A&, Backend, std::size_t, const weight_stack&) {
    return {};
  }
  /// Weights are shared out in pieces of fixed size.
  template <class Backend, executor E, class T>
  static constexpr void apply(Backend backend, E& exec, const weight_stack& s, T* w, const T* g, const state<T>& kept,
                              const scratch<T>&, const typename O::options& o, const update& u) {
    parallel_for(exec, s.size(), 16384, [&](std::size_t first, std::size_t n, std::size_t) {
      T* moments[larger(1, O::moments)]{};
      for (std::size_t i = 0; i < O::moments; ++i) moments[i] = kept.moments[i] + first;
      O::apply(backend, n, w + first, g + first, moments, o, u);
    });
  }
};

}}  // namespace ctlm
