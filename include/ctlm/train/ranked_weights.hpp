// SPDX-License-Identifier: MIT
// ctlm: factored weights of which fewer directions count than there is room for: what the passes of a trainer read.
#pragma once

#include "../model/causal_lm.hpp"
#include "quantisation_aware.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Weights of a model with factored projections, and how many columns of U and rows of V count in each layer.
template <class M>
class ranked_weights {
  using base = typename M::weights;

 public:
  using format = typename base::format;             ///< how matrices are stored
  static constexpr decoder_shape shape = M::shape;  ///< the model's sizes

  constexpr ranked_weights() {
    for (std::size_t i = 0; i < factorable_count; ++i)
      for (std::uint32_t& r : ranks[i]) r = static_cast<std::uint32_t>(rank_of(M::shape, factorable_tensors[i]));
  }

  /// As weight_views has them.
  constexpr auto matrix_of(tensor_id id, std::size_t layer = 0) const { return weights->matrix_of(id, layer); }
  /// The same, with the rank that counts.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    auto m = weights->template matrix_of<id>(layer);
    if constexpr (is_factored_matrix<decltype(m)>) m.rank = ranks[factorable_index(id)][layer];
    return m;
  }
  /// As weight_views has them.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights->vector_of(id, layer); }
  /// The output projection.
  constexpr auto head() const { return weights->head(); }

  const base* weights = nullptr;                             ///< whose factors they are
  std::uint32_t ranks[factorable_count][M::shape.layers]{};  ///< of each projection of factorable_tensors
};

/// The weights of a factored model that are trained for no other format: themselves, cut to the ranks that count.
template <class M, class F, class Optimizer>
requires(M::shape.is_factored() && std::same_as<F, typename M::weight_format>) class weights_in_use<M, F, Optimizer> {
  using weights = typename M::weights;

 public:
  using format = typename weights::format;
  static constexpr bool matrices_learn = true;

  template <class A>
  constexpr void place(A&) {}
  template <class E>
  constexpr void refresh(const weights& trained, std::size_t, E&) {
    ranked_.weights = &trained;
  }
  constexpr const ranked_weights<M>& of(const weights&) const { return ranked_; }
  template <class E>
  constexpr void learn(const weights&, const weights&, const typename Optimizer::options&, const update&, E&) {}
  template <class Visit>
  void for_each_state(Visit&& f) {
    f("ranks", static_cast<void*>(ranked_.ranks), sizeof ranked_.ranks);
  }

  /// How many directions of a projection count.
  constexpr std::size_t rank(tensor_id id, std::size_t layer) const {
    return ranked_.ranks[factorable_index(id)][layer];
  }
  constexpr void set_rank(tensor_id id, std::size_t layer, std::size_t rank) {
    ranked_.ranks[factorable_index(id)][layer] = static_cast<std::uint32_t>(rank);
  }

 private:
  ranked_weights<M> ranked_{};
};

}}  // namespace ctlm
