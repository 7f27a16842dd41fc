// SPDX-License-Identifier: MIT
// ctlm: Mixtral (Jiang et al. 2024): Mistral whose blocks have several feed-forward layers, experts, of which a router
// chooses some for each token (Shazeer et al. 2017).
#pragma once

#include "../policy/activation/silu.hpp"
#include "rotary_decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The config of a Mixtral model. Layers count from 0.
struct mixtral_config {
  std::size_t vocab;                  ///< tokens in the vocabulary
  std::size_t d_model;                ///< numbers in a row of the residual stream
  std::size_t layers;                 ///< transformer blocks
  std::size_t heads;                  ///< heads of queries
  std::size_t kv_heads = 0;           ///< heads of keys and values; 0: as many as heads
  std::size_t head_dim = 0;           ///< numbers in a head; 0: d_model / heads
  std::size_t d_ff;                   ///< inner numbers of one expert
  std::size_t context;                ///< the longest sequence, in tokens
  bool tie_embeddings = false;        ///< the head is the token embedding
  float norm_eps = 1e-5f;             ///< added to the mean of squares before the root
  double rope_theta = 1000000.0;      ///< base of the rotary angles
  std::size_t experts = 8;            ///< feed-forward layers in each block
  std::size_t experts_per_token = 2;  ///< how many of them each token goes through
  std::size_t window = 0;             ///< positions that a row sees, its own among them; 0: all before it

  /// What generated headers call this spec (io/pack.hpp).
  static constexpr const char* name = "mixtral_config";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    for_each_common_field(*this, f);
    f("experts", experts);
    f("experts_per_token", experts_per_token);
    f("window", window);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = swiglu;

  /// What the config comes down to.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = rotary_decoder(*this, gated);
    s.experts = experts;
    s.experts_per_token = experts_per_token;
    s.normalised_experts = true;
    s.window = window;
    return s;
  }
};

}}  // namespace ctlm
