// SPDX-License-Identifier: MIT
// ctlm: the forward pass of training: a micro-batch of tokens to its final rows.
#pragma once

#include "../model/embedding_scale.hpp"
#include "../model/kernel_context.hpp"
#include "../tensor/meaning.hpp"
#include "activations.hpp"
#include "masks.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Attention of a training batch: every row sees itself and the earlier rows of its own sequence.
template <class M, class Batch, class Context, class W, class Activations>
struct batch_attention {
  using T = typename M::real;                                       ///< numbers of arithmetic
  Context& c;                                                       ///< how to compute, who computes, scratch
  const W& w;                                                       ///< the weights
  Activations& a;                                                   ///< the micro-batch's
  std::size_t layer;                                                ///< which
  dropout_mask mask;                                                ///< of attention's probabilities
  static constexpr batch_rows rows{Batch::batch, Batch::sequence};  ///< which rows are one sequence

  /// Rotates queries and keys of qkv [rows][qkv_dim], then attends, to attended [rows][q_dim].
  constexpr void operator()(T* qkv, T* attended) const {
    if constexpr (!M::shape.qk_norm) rotate<M>(c, layer, Batch::rows, a.angles, qkv, T(1));
    const T* const turned = turned_rows(static_cast<const T*>(qkv));
    const auto heads = heads_of_layer<M>(layer);
    attention_forward(c.backend, *c.exec, heads, rows, turned,
                      batch_keys<T, std::remove_cv_t<decltype(heads)>>{turned, heads, Batch::sequence}, attended,
                      a.log_sums[layer], mask, c.attention);
  }
  /// The gradients of what the projection wrote to qkv, to dqkv, from those of what attention made, dattended.
  /// The first two may be stored in 16 bits.
  template <class G, class S>
  constexpr void backward([[maybe_unused]] const G& g, S* qkv, const S* attended, const T* dattended, T* dqkv) const {
    attention_backward(c.backend, *c.exec, heads_of_layer<M>(layer), rows, turned_rows(static_cast<const S*>(qkv)),
                       attended, dattended, static_cast<const T*>(a.log_sums[layer]), dqkv, mask, c.attention);
    rotate<M>(c, layer, Batch::rows, a.angles, dqkv, T(-1));
    if constexpr (M::shape.qk_norm)
      normalise_heads_backward<M>(c, w, g, layer, Batch::rows,
                                  static_cast<const T*>(numbers_of(c, Batch::rows * M::shape.qkv_dim(), qkv, a.raw)),
                                  dqkv, a.head_statistics, a.turned);
  }

 private:
  /// What attention reads: qkv itself, which has been rotated, or, of a model that normalises heads, a copy that is
  /// normalised and rotated here, since the backward pass needs qkv as it was.
  template <class S>
  constexpr auto turned_rows(const S* qkv) const {
    if constexpr (!M::shape.qk_norm) {
      return qkv;
    } else {
      T* const turned = a.turned;
      parallel_for(*c.exec, Batch::rows * M::shape.qkv_dim(), 16384,
                   [&](std::size_t first, std::size_t n, std::size_t) {
                     for (std::size_t i = first; i < first + n; ++i) turned[i] = qkv[i];
                   });
      normalise_heads<M>(c, w, layer, Batch::rows, turned);
      rotate<M>(c, layer, Batch::rows, a.angles, turned, T(1));
      return static_cast<const T*>(turned);
    }
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
    scale_embeddings<M>(c, Batch::rows, x);
    if constexpr (shape.position == position_kind::learned)
      add_positions(c.backend, *c.exec, Format{}, Batch::rows, Batch::sequence, 0,
                    w.matrix_of(tensor_id::position_embedding), x, a.normed);
    if (const dropout_mask mask = drop.embedding(); mask.active())
      apply_dropout(mask, Batch::rows * shape.d_model, x, 0);
    for (std::size_t l = 0; l < shape.layers; ++l)
      block_forward<M>(c, w, l, Batch::rows, a.of_layer(l), attention(c, w, a, l, drop), drop.residual1(l),
                       drop.residual2(l));
    norm_forward(typename M::norm{}, c.backend, *c.exec, Batch::rows, shape.d_model, static_cast<const real*>(a.last),
                 w.vector_of(tensor_id::norm_weight), w.vector_of(tensor_id::norm_bias), a.final_rows, shape.norm_eps,
                 a.last_statistics);
    return {a.final_rows};
  }

  /// Computes a layer's activations again from its input, as far as the backward pass needs them: all but its output.
  template <class Context, class W, class Activations>
  constexpr void repeat(Context& c, const W& w, Activations& a, std::size_t layer, const dropout_masks& drop) const {
    block_until_activation<M>(c, w, layer, Batch::rows, a.repeated(layer), attention(c, w, a, layer, drop),
                              drop.residual1(layer));
  }

  /// Attention of one layer over the micro-batch.
  template <class Context, class W, class Activations>
  static constexpr batch_attention<M, Batch, Context, W, Activations> attention(Context& c, const W& w, Activations& a,
                                                                                std::size_t layer,
                                                                                const dropout_masks& drop) {
    return {c, w, a, layer, drop.attention(layer)};
  }
};

}}  // namespace ctlm
