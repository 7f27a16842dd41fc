// SPDX-License-Identifier: MIT
// ctlm: the backward pass of training: gradients of the final rows to gradients of the weights.
#pragma once

#include "forward_pass.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The counterpart of forward_pass, whose activations it consumes. `recomputed` layers are computed again.
template <class M, class Batch, class Format, std::size_t recomputed>
struct backward_pass {
  using real = typename M::real;                        ///< numbers of arithmetic
  using forward_type = forward_pass<M, Batch, Format>;  ///< the forward pass whose gradients these are
  static constexpr decoder_shape shape = M::shape;      ///< the model's sizes
  static constexpr std::size_t d = shape.d_model;       ///< numbers in a row of the residual stream

  /// From dfinal_rows [rows][d_model], the gradients of the final rows, to those of the weights, in g: gradients of
  /// matrices in the layers are added to g where `accumulate` and written otherwise; all others are added.
  template <class Context, class W, class G, class Activations>
  CTLM_NOINLINE constexpr void operator()(Context& c, const W& w, const G& g, Activations& a,
                                          gradients<const real> dfinal_rows, const token* tokens,
                                          const dropout_masks& drop, bool accumulate) const {
    elementwise(
        c.backend, Batch::rows * d, [](auto& v) { v = constant<std::remove_reference_t<decltype(v)>>(0); }, a.dx);
    norm_backward(typename M::norm{}, c.backend, *c.exec, Batch::rows, d, static_cast<const real*>(a.last),
                  w.vector_of(tensor_id::norm_weight), dfinal_rows.data, a.dx, g.vector_of(tensor_id::norm_weight),
                  g.vector_of(tensor_id::norm_bias), a.last_statistics);
    if constexpr (learns_in_part<G>) {
      constexpr bool embeddings = G::tensors.learns_embeddings();
      for (std::size_t l = shape.layers; l-- > (embeddings ? 0 : G::tensors.first_layer());)
        through_layer(c, w, g, a, l, drop, accumulate);
      if constexpr (!embeddings) return;
    } else {
      for (std::size_t l = shape.layers; l-- > 0;) through_layer(c, w, g, a, l, drop, accumulate);
    }
    if (const dropout_mask mask = drop.embedding(); mask.active()) apply_dropout(mask, Batch::rows * d, a.dx, 0);
    scale_embeddings<M>(c, Batch::rows, a.dx);
    if (real* const to = embedding_gradients<tensor_id::token_embedding>(g); !learns_in_part<G> || to != nullptr)
      embed_backward(c.backend, *c.exec, Batch::rows, d, tokens, static_cast<const real*>(a.dx), to);
    if constexpr (shape.position == position_kind::learned)
      if (real* const to = embedding_gradients<tensor_id::position_embedding>(g); !learns_in_part<G> || to != nullptr)
        add_positions_backward(c.backend, *c.exec, Batch::rows, Batch::sequence, d, static_cast<const real*>(a.dx), to);
  }

 private:
  /// Where the gradients of an embedding go; nullptr if it does not learn.
  template <tensor_id id, class G>
  static constexpr real* embedding_gradients(const G& g) {
    if constexpr (learns_in_part<G>)
      return g.chosen_matrix_of(id).numbers.data;
    else
      return g.matrix_of(id).data;
  }

  template <class Context, class W, class G, class Activations>
  static constexpr void through_layer(Context& c, const W& w, const G& g, Activations& a, std::size_t layer,
                                      const dropout_masks& drop, bool accumulate) {
    if constexpr (recomputed > 1)
      if (layer + 1 < recomputed) forward_type{}.repeat(c, w, a, layer, drop);  // the last one's are still there
    const auto& s = a.saved(layer);
    const auto attention = forward_type::attention(c, w, a, layer, drop);
    block_backward<M>(
        c, w, g, layer, Batch::rows, s, a.scratch(), a.dx,
        [&](const real* dattended, real* dqkv) { attention.backward(g, s.qkv, s.attended, dattended, dqkv); },
        drop.residual1(layer), drop.residual2(layer), accumulate);
  }
};

}}  // namespace ctlm
