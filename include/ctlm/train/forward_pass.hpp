// SPDX-License-Identifier: MIT
// ctlm: the forward pass of training: a micro-batch of tokens to its final rows.
#pragma once

#include "../model/kernel_context.hpp"
#include "../tensor/meaning.hpp"
#include "activations.hpp"
#include "masks.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Attention of a training batch: every row sees itself and the earlier rows of its own sequence.
template <class M, class Batch, class Context, class T>
struct batch_attention {
  Context& c;                      ///< how to compute, who computes, scratch
  const rotary_angles<T>& angles;  ///< of the positions of a sequence
  T* log_sum;                      ///< [batch][heads][sequence] kept for the backward pass
  dropout_mask mask;               ///< of attention's probabilities
  static constexpr batch_rows rows{Batch::batch, Batch::sequence};  ///< which rows are one sequence

  /// Rotates queries and keys of qkv [rows][qkv_dim] in place, then attends, to attended [rows][q_dim].
  constexpr void operator()(T* qkv, T* attended) const {
    rotate<M>(c, Batch::rows, angles, qkv, T(1));
    attention_forward(c.backend, *c.exec, heads_of<M>, rows, static_cast<const T*>(qkv),
                      batch_keys<T>{qkv, heads_of<M>, Batch::sequence}, attended, log_sum, mask, c.attention);
  }
  /// The gradients of qkv before its rotation, to dqkv, from those of what attention made, dattended.
  constexpr void backward(const T* qkv, const T* attended, const T* dattended, T* dqkv) const {
    attention_backward(c.backend, *c.exec, heads_of<M>, rows, qkv, attended, dattended, static_cast<const T*>(log_sum),
                       dqkv, mask, c.attention);
    rotate<M>(c, Batch::rows, angles, dqkv, T(-1));
  }
};

/// The forward pass of training. Format is how the matrices are stored.
template <class M, class Batch, class Format>
struct forward_pass {
  using real = typename M::real;                    ///< numbers of arithmetic
  static constexpr decoder_shape shape = M::shape;  ///< the model's sizes

  /// Takes the tokens of a micro-batch, [batch][sequence], and returns its final rows, [rows][d_model], normalised:
  /// what the head reads. What the backward pass needs stays in the activations.
  template <class Context, class W, class Activations>
  CTLM_NOINLINE constexpr values<const real> operator()(Context& c, const W& w, Activations& a, const token* tokens,
                                                        const dropout_masks& drop) const {
    real* const x = a.layers[0].x;
    embed(c.backend, *c.exec, Format{}, Batch::rows, tokens, w.matrix_of(tensor_id::token_embedding), x);
    if constexpr (shape.position == position_kind::learned)
      add_positions(c.backend, *c.exec, Format{}, Batch::rows, Batch::sequence, 0,
                    w.matrix_of(tensor_id::position_embedding), x, a.normed);
    if (const dropout_mask mask = drop.embedding(); mask.active())
      apply_dropout(mask, Batch::rows * shape.d_model, x, 0);
    for (std::size_t l = 0; l < shape.layers; ++l)
      block_forward<M>(c, w, l, Batch::rows, a.of_layer(l), attention(c, a, l, drop), drop.residual1(l),
                       drop.residual2(l));
    norm_forward(typename M::norm{}, c.backend, *c.exec, Batch::rows, shape.d_model, static_cast<const real*>(a.last),
                 w.vector_of(tensor_id::norm_weight), w.vector_of(tensor_id::norm_bias), a.final_rows, shape.norm_eps,
                 a.last_statistics);
    return {a.final_rows};
  }

  /// Computes a layer's activations again from its input, as far as the backward pass needs them: all but its output.
  template <class Context, class W, class Activations>
  constexpr void repeat(Context& c, const W& w, Activations& a, std::size_t layer, const dropout_masks& drop) const {
    block_until_activation<M>(c, w, layer, Batch::rows, a.of_layer(layer), attention(c, a, layer, drop),
                              drop.residual1(layer));
  }

  /// Attention of one layer over the micro-batch.
  template <class Context, class Activations>
  static constexpr batch_attention<M, Batch, Context, real> attention(Context& c, Activations& a, std::size_t layer,
                                                                      const dropout_masks& drop) {
    return {c, a.angles, a.log_sums[layer], drop.attention(layer)};
  }
};

}}  // namespace ctlm
