// SPDX-License-Identifier: MIT
// ctlm: Gemma (Gemma Team 2024): scaled embeddings, GEGLU. Weights of norms are gains here: files keep them less 1.
#pragma once

#include "../policy/activation/gelu.hpp"
#include "decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The config of a Gemma model. Layers count from 0.
struct gemma_config {
  std::size_t vocab;            ///< tokens in the vocabulary
  std::size_t d_model;          ///< numbers in a row of the residual stream
  std::size_t layers;           ///< transformer blocks
  std::size_t heads;            ///< heads of queries
  std::size_t kv_heads = 0;     ///< heads of keys and values; 0: as many as heads
  std::size_t head_dim = 0;     ///< numbers in a head; 0: d_model / heads
  std::size_t d_ff;             ///< inner numbers of the feed-forward layer
  std::size_t context;          ///< the longest sequence, in tokens
  bool tie_embeddings = true;   ///< the head is the token embedding
  float norm_eps = 1e-6f;       ///< added to the mean of squares before the root
  double rope_theta = 10000.0;  ///< base of the rotary angles

  /// What generated headers call this spec (io/pack.hpp).
  static constexpr const char* name = "gemma_config";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    f("vocab", vocab);
    f("d_model", d_model);
    f("layers", layers);
    f("heads", heads);
    f("kv_heads", kv_heads);
    f("head_dim", head_dim);
    f("d_ff", d_ff);
    f("context", context);
    f("tie_embeddings", tie_embeddings);
    f("norm_eps", norm_eps);
    f("rope_theta", rope_theta);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = geglu_tanh;

  /// What the config comes down to.
  constexpr decoder_shape shape(bool gated) const {
    return {.vocab = vocab,
            .d_model = d_model,
            .layers = layers,
            .heads = heads,
            .kv_heads = kv_heads == 0 ? heads : kv_heads,
            .head_dim = head_size(head_dim, d_model, heads),
            .d_ff = d_ff,
            .context = context,
            .tie_embeddings = tie_embeddings,
            .gated = gated,
            .norm = norm_kind::rms,
            .position = position_kind::rope,
            .norm_eps = norm_eps,
            .rope_theta = rope_theta,
            .scaled_embeddings = true};
  }
};

}}  // namespace ctlm
