// SPDX-License-Identifier: MIT
// ctlm: linear layers of models whose matrices are stored in several formats.
#pragma once

#include "../format/mixed.hpp"
#include "../memory/plan.hpp"
#include "linear.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scratch for each of the formats; since one layer runs at a time, they share their memory.
template <class Backend, mixed_format F, compute_policy C>
struct linear_workspace<Backend, F, C> {
  struct of_format {
    template <class G>
    using type = linear_workspace<Backend, G, std::conditional_t<quantised_format<G>, C, decoded>>;
  };
  mixed_detail::each<typename F::formats, of_format> each;

  template <class A>
  static constexpr linear_workspace place(A& a, std::size_t max_rows, std::size_t max_outputs, std::size_t max_inputs,
                                          std::size_t workers) {
    linear_workspace ws;
    const auto start = a.mark();
    auto end = start;
    ws.each.for_each([&]<class G>() {
      a.rewind(start);
      ws.each.template of<G>() = of_format::template type<G>::place(a, max_rows, max_outputs, max_inputs, workers);
      end = larger(end, a.mark());
    });
    a.rewind(end);
    return ws;
  }
};

/// A matrix of one layer, in whichever format it has.
template <class Backend, executor E, matrix_view W, class T, class Workspace>
requires mixed_format<typename W::format>
constexpr void linear(Backend backend, E& exec, std::size_t m, const T* x, const W& w, const linear_terms<T>& terms,
                      T* y, Workspace& ws) {
  w.visit([&](const auto& one) {
    using F = typename std::remove_cvref_t<decltype(one)>::format;
    linear(backend, exec, m, x, one, terms, y, ws.each.template of<F>());
  });
}

}}  // namespace ctlm
