// SPDX-License-Identifier: MIT
// ctlm: Gemma 3 (Gemma Team 2025): five layers with a window and angles of their own, then one without.
#pragma once

#include "../policy/activation/gelu.hpp"
#include "rope_scaling.hpp"
#include "rotary_decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The config of a Gemma3 model. Layers count from 0.
struct gemma3_config {
  std::size_t vocab;              ///< tokens in the vocabulary
  std::size_t d_model;            ///< numbers in a row of the residual stream
  std::size_t layers;             ///< transformer blocks
  std::size_t heads;              ///< heads of queries
  std::size_t kv_heads = 0;       ///< heads of keys and values; 0: as many as heads
  std::size_t head_dim = 0;       ///< numbers in a head; 0: d_model / heads
  std::size_t d_ff;               ///< inner numbers of the feed-forward layer
  std::size_t context;            ///< the longest sequence, in tokens
  bool tie_embeddings = true;     ///< the head is the token embedding
  float norm_eps = 1e-6f;         ///< added to the mean of squares before the root
  double rope_theta = 1000000.0;  ///< base of the rotary angles
  double query_scale = 0;         ///< factor of the scores; 0: 1 / sqrt(head_dim)
  float logit_cap = 0;            ///< logits x become cap * tanh(x / cap); 0: they stay
  std::size_t window = 512;       ///< positions that a row sees, its own among them; 0: all before it
  std::size_t full_every = 6;     ///< layers n - 1, 2n - 1, ... see everything; 0: none does
  double local_theta = 10000.0;   ///< base of the rotary angles of layers with a window
  rope_scaling scaling{};         ///< of the rotary angles, for longer texts

  /// What generated headers call this spec (io/pack.hpp).
  static constexpr const char* name = "gemma3_config";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    for_each_common_field(*this, f);
    f("query_scale", query_scale);
    f("logit_cap", logit_cap);
    f("window", window);
    f("full_every", full_every);
    f("local_theta", local_theta);
    f("scaling", scaling);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = geglu_tanh;

  /// What the config comes down to.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = rotary_decoder(*this, gated);
    s.qk_norm = true;
    s.post_norms = true;
    s.scaled_embeddings = true;
    s.query_scale = query_scale;
    s.logit_cap = logit_cap;
    s.window = window;
    s.full_every = full_every;
    s.local_theta = local_theta;
    return scaling.applied_to(s);
  }
};

}}  // namespace ctlm
