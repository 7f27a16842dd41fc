// SPDX-License-Identifier: MIT
// ctlm: which weights of a model a trainer changes, and what follows from it: where they lie, and what the passes read.
#pragma once

#include "../model/initialise.hpp"
#include "../model/kernel_context.hpp"
#include "quantisation_aware.hpp"
#include "ranked_weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Everything learns: the weights are those of the model. Slots is a trainer_slots; the specialisation for
/// train_only<> is in adapted_learning.hpp.
template <class M, class Batch, class Slots>
struct what_learns {
  static constexpr bool in_part = false;  ///< whether some weights stay as they are
  using model = M;                        ///< whose tensors the optimizer sees
  using weights = typename M::weights;    ///< what learns
  using in_use_type =
      weights_in_use<M, typename Slots::target_format, typename Slots::optimizer>;       ///< what the passes see
  using backend_type = typename Slots::template backend_of<typename M::backend_policy>;  ///< which kernels
  using context_type = kernel_context<M, typename in_use_type::format, backend_type>;    ///< with their scratch

  /// Scratch of the products of a step.
  template <class A>
  static constexpr auto place_products(A& a, std::size_t workers) {
    constexpr std::size_t widest = larger(Batch::rows, M::shape.most_outputs());
    return decltype(context_type::linear)::place(a, widest, widest, widest, workers);
  }
  /// The weights before the first step.
  template <class Context>
  static constexpr void begin(Context&, const weights& w, in_use_type&, std::uint64_t seed) {
    initialise(w, seed);
  }
  /// Before the passes of a micro-batch with, or without, the dropout of `stream`.
  static constexpr void begin_pass(in_use_type&, std::uint64_t) {}
};

}}  // namespace ctlm
