// SPDX-License-Identifier: MIT
// ctlm: Gemma 2 (Gemma Team 2024): what parts add is normalised too, scores and logits are capped, every other layer
// has a window.
#pragma once

#include "../policy/activation/gelu.hpp"
#include "rotary_decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The config of a Gemma2 model. Layers count from 0.
struct gemma2_config {
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
  double query_scale = 0;       ///< factor of the scores; 0: 1 / sqrt(head_dim)
  float attention_cap = 50;     ///< scores s become cap * tanh(s / cap); 0: they stay
  float logit_cap = 30;         ///< logits x become cap * tanh(x / cap); 0: they stay
  std::size_t window = 4096;    ///< positions that a row sees, its own among them; 0: all before it
  std::size_t full_every = 2;   ///< layers n - 1, 2n - 1, ... see everything; 0: none does

  /// What generated headers call this spec (io/pack.hpp).
  static constexpr const char* name = "gemma2_config";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    for_each_common_field(*this, f);
    f("query_scale", query_scale);
    f("attention_cap", attention_cap);
    f("logit_cap", logit_cap);
    f("window", window);
    f("full_every", full_every);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = geglu_tanh;

  /// What the config comes down to.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = rotary_decoder(*this, gated);
    s.post_norms = true;
    s.scaled_embeddings = true;
    s.query_scale = query_scale;
    s.attention_cap = attention_cap;
    s.logit_cap = logit_cap;
    s.window = window;
    s.full_every = full_every;
    return s;
  }
};

}}  // namespace ctlm
