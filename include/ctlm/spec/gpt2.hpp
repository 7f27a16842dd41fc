// SPDX-License-Identifier: MIT
// ctlm: GPT-2 (Radford et al. 2019): LayerNorm before each sublayer, learned positions, GELU.
#pragma once

#include "../policy/activation/gelu.hpp"
#include "decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The shape of a GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): the value of
/// `config` in a model's tag. What cannot be computed with does not compile, and names the field.
struct gpt2_config {
  std::size_t vocab;           ///< tokens in the vocabulary, at least 1
  std::size_t d_model;         ///< numbers in a row of the residual stream
  std::size_t layers;          ///< transformer blocks
  std::size_t heads;           ///< heads of attention; must divide d_model, unless head_dim is given
  std::size_t head_dim = 0;    ///< numbers in a head; 0: d_model / heads
  std::size_t context;         ///< the longest sequence, in tokens: there is a learned position for each
  std::size_t d_ff = 0;        ///< inner numbers of the feed-forward layer; 0: 4 * d_model
  bool bias = true;            ///< projections and norms have biases
  bool tie_embeddings = true;  ///< the head multiplies with the token embedding and has no matrix of its own
  float norm_eps = 1e-5f;      ///< added to the variance before the root

  /// What generated headers call this spec (io/pack.hpp).
  static constexpr const char* name = "gpt2_config";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    f("vocab", vocab);
    f("d_model", d_model);
    f("layers", layers);
    f("heads", heads);
    f("head_dim", head_dim);
    f("context", context);
    f("d_ff", d_ff);
    f("bias", bias);
    f("tie_embeddings", tie_embeddings);
    f("norm_eps", norm_eps);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = gelu_tanh;

  /// The shape with all defaults filled in; `gated` is that of the activation.
  constexpr decoder_shape shape(bool gated) const {
    return {.vocab = vocab,
            .d_model = d_model,
            .layers = layers,
            .heads = heads,
            .kv_heads = heads,
            .head_dim = head_size(head_dim, d_model, heads),
            .d_ff = d_ff == 0 ? 4 * d_model : d_ff,
            .context = context,
            .bias = bias,
            .tie_embeddings = tie_embeddings,
            .gated = gated,
            .norm = norm_kind::layer,
            .position = position_kind::learned,
            .norm_eps = norm_eps};
  }
};

}}  // namespace ctlm
