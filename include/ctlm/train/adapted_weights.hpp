// SPDX-License-Identifier: MIT
// ctlm: the weights of a model of which a part learns: those that it was given, which stay as they are, and what learns
// in the place of some of them, or beside them.
#pragma once

#include "../model/adapted_projection.hpp"
#include "../model/adapter.hpp"
#include "../model/quantise.hpp"
#include "learned_tensors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What the passes of a trainer with train_only<> read.
template <class M, class Chosen>
class adapted_weights {
  using real = typename M::real;
  using base_type = typename M::const_weights;
  using base_view = typename base_type::view;
  using learned_type = learned_views<M, Chosen>;
  using table = typename learned_type::table;
  using lora = typename Chosen::adapter;
  static constexpr const auto& tensors = learned_type::tensors;
  static constexpr bool decomposed = lora::config.weight_decomposed;

 public:
  using format = typename base_type::format;        ///< how the base's matrices are stored
  static constexpr decoder_shape shape = M::shape;  ///< the model's sizes

  base_type base{};          ///< the weights that stay
  learned_type learned{};    ///< what learns
  std::uint64_t stream = 0;  ///< of dropout; 0: nothing is dropped

  /// One layer's matrix; of those that have no adapter.
  constexpr base_view matrix_of(tensor_id id, std::size_t layer = 0) const {
    if constexpr (native_format<format>)
      if (tensors.learns(id))
        if (const real* own = learned.place_of(id, layer); own != nullptr)
          return {own, rule_of(id).rows(shape), rule_of(id).cols(shape)};
    return base.matrix_of(id, layer);
  }
  /// One layer's matrix, with its adapter where it may have one.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    if constexpr (tensors.adapts(id))
      return adapted_matrix<base_view, real>{base.matrix_of(id, layer), pair_of(id, layer)};
    else
      return matrix_of(id, layer);
  }
  /// One layer's vector, or its router.
  constexpr const real* vector_of(tensor_id id, std::size_t layer = 0) const {
    if (tensors.learns(id))
      if (const real* own = learned.place_of(id, layer); own != nullptr) return own;
    return base.vector_of(id, layer);
  }
  /// The output projection.
  constexpr base_view head() const {
    return matrix_of(shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight);
  }

  /// Asks an arena for the gains of DoRA.
  template <class A>
  constexpr void place(A& a) {
    if constexpr (decomposed)
      for (std::size_t i = 0; i < adaptable_count; ++i)
        if (tensors.adapts(adaptable_tensors[i])) {
          const std::size_t n = shape.layers * rule_of(adaptable_tensors[i]).rows(shape);
          gains_[i] = a.template allocate<real>(n);
          norms_[i] = a.template allocate<real>(n);
        }
  }
  /// Lengths of the rows of W + scale B A, and by what they are multiplied: magnitude / length. `decoded` is scratch,
  /// `stride` numbers for each worker; `first` sets the magnitudes to the lengths.
  template <class E>
  constexpr void refresh(E& exec, real* decoded, std::size_t stride, bool first) const {
    if constexpr (decomposed)
      for (std::size_t i = 0; i < adaptable_count; ++i)
        for (std::size_t l = 0; tensors.adapts(adaptable_tensors[i]) && l < shape.layers; ++l)
          if (tensors.has(adaptable_tensors[i], l)) measure_rows(exec, i, l, decoded, stride, first);
  }
  /// The adapter of a matrix, as products take it: a is nullptr where there is none.
  constexpr low_rank_pair<real> pair_of(tensor_id id, std::size_t layer) const {
    low_rank_pair<real> p;
    const std::size_t index = adaptable_index(id);
    if (index == adaptable_count || !tensors.adapts(id)) return p;
    p.a = learned.place_of(id, layer, table::a);
    p.b = learned.place_of(id, layer, table::b);
    if constexpr (decomposed) {
      p.gains = gains_[index] + layer * rule_of(id).rows(shape);
      p.norms = norms_[index] + layer * rule_of(id).rows(shape);
    }
    p.parts = &tensors.parts(id);
    p.rank = lora::rank;
    p.scale = real(lora::scale());
    if constexpr (lora::config.dropout > 0)
      if (stream != 0) p.dropout = dropout_mask(mix(stream, layer * adaptable_count + index), lora::config.dropout);
    return p;
  }
  /// Where the numbers of an adapter are, to be written: load_adapter does. refresh() follows.
  constexpr adapter_place<real> place_of(tensor_id id, std::size_t layer) const {
    if (!tensors.adapts(id) || !tensors.has(id, layer)) return {};
    return {learned.place_of(id, layer, table::a), learned.place_of(id, layer, table::b),
            decomposed ? learned.place_of(id, layer, table::magnitude) : nullptr, &tensors.parts(id)};
  }
  /// What the adapter is.
  static constexpr adapter_shape layout() {
    adapter_shape a{lora::rank, lora::config.alpha, lora::config.rank_stabilised, decomposed, {}};
    for (std::size_t i = 0; i < adaptable_count; ++i)
      if (tensors.adapts(adaptable_tensors[i])) a.parts[i] = tensors.parts(adaptable_tensors[i]);
    return a;
  }

 private:
  // Of number `index` of adaptable_tensors.
  template <class E>
  constexpr void measure_rows(E& exec, std::size_t index, std::size_t layer, real* decoded, std::size_t stride,
                              bool first) const {
    const tensor_id id = adaptable_tensors[index];
    const adapter_parts& parts = tensors.parts(id);
    const std::size_t n = rule_of(id).rows(shape), k = rule_of(id).cols(shape);
    real* const gains = gains_[index] + layer * n;
    real* const norms = norms_[index] + layer * n;
    const real* const a = learned.place_of(id, layer, table::a);
    const real* const b = learned.place_of(id, layer, table::b);
    real* const magnitudes = learned.place_of(id, layer, table::magnitude);
    const auto view = base.matrix_of(id, layer);
    for (std::size_t j = 0; j < n; ++j) gains[j] = norms[j] = 1;
    std::size_t before = 0;
    for (std::size_t p = 0; p < parts.count; before += parts.rows[p++])
      parallel_for(exec, parts.rows[p], 8, [&](std::size_t from, std::size_t count, std::size_t worker) {
        real* const row = decoded + worker * stride;
        for (std::size_t j = from; j < from + count; ++j) {
          format::decode(view, parts.first[p] + j, 0, k, row);
          for (std::size_t r = 0; r < lora::rank; ++r) {
            const real factor = real(lora::scale()) * b[(before + j) * lora::rank + r];
            for (std::size_t i = 0; i < k; ++i) row[i] += factor * a[(p * lora::rank + r) * k + i];
          }
          real squares = 0;
          for (std::size_t i = 0; i < k; ++i) squares += row[i] * row[i];
          const real norm = math::sqrt(squares);
          if (first) magnitudes[before + j] = norm;
          norms[parts.first[p] + j] = norm;
          gains[parts.first[p] + j] = magnitudes[before + j] / norm;
        }
      });
  }

  real* gains_[adaptable_count]{};  // [layers][rows] of DoRA
  real* norms_[adaptable_count]{};
};

}}  // namespace ctlm
