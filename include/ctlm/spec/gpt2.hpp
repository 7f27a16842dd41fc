// SPDX-License-Identifier: MIT
// ctlm: GPT-2 (Radford et al. 2019): LayerNorm before each sublayer, learned positions, GELU.
#pragma once

#include "../policy/activation/gelu.hpp"
#include "decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct gpt2_config {
  std::size_t vocab;
  std::size_t d_model;
  std::size_t layers;
  std::size_t heads;
  std::size_t head_dim = 0;  // 0: d_model / heads; given, heads need not divide d_model
  std::size_t context;
  std::size_t d_ff = 0;        // 0: 4 * d_model
  bool bias = true;            // of projections and norms
  bool tie_embeddings = true;  // the output head is the token embedding
  float norm_eps = 1e-5f;

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

  using default_activation = gelu_tanh;

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
