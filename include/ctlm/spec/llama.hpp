// SPDX-License-Identifier: MIT
// ctlm: Llama (Touvron et al. 2023): RMSNorm, rotary positions, SwiGLU, grouped-query attention.
#pragma once

#include "../policy/activation/silu.hpp"
#include "decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct llama_config {
  std::size_t vocab;
  std::size_t d_model;
  std::size_t layers;
  std::size_t heads;
  std::size_t kv_heads = 0;  // 0: as many as heads
  std::size_t head_dim = 0;  // 0: d_model / heads; given, heads need not divide d_model
  std::size_t d_ff;
  std::size_t context;
  bool tie_embeddings = false;  // the output head is the token embedding
  bool bias = false;            // of projections
  float norm_eps = 1e-5f;
  double rope_theta = 10000.0;

  static constexpr const char* name = "llama_config";
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
    f("bias", bias);
    f("norm_eps", norm_eps);
    f("rope_theta", rope_theta);
  }

  using default_activation = swiglu;

  constexpr decoder_shape shape(bool gated) const {
    return {.vocab = vocab,
            .d_model = d_model,
            .layers = layers,
            .heads = heads,
            .kv_heads = kv_heads == 0 ? heads : kv_heads,
            .head_dim = head_size(head_dim, d_model, heads),
            .d_ff = d_ff,
            .context = context,
            .bias = bias,
            .tie_embeddings = tie_embeddings,
            .gated = gated,
            .norm = norm_kind::rms,
            .position = position_kind::rope,
            .norm_eps = norm_eps,
            .rope_theta = rope_theta};
  }
};

}}  // namespace ctlm
