// SPDX-License-Identifier: MIT
// ctlm: Phi-3 (Abdin et al. 2024): Llama; of later ones only a part of each head rotates.
#pragma once

#include "../policy/activation/silu.hpp"
#include "rotary_decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The config of a Phi3 model. Layers count from 0.
struct phi3_config {
  std::size_t vocab;            ///< tokens in the vocabulary
  std::size_t d_model;          ///< numbers in a row of the residual stream
  std::size_t layers;           ///< transformer blocks
  std::size_t heads;            ///< heads of queries
  std::size_t kv_heads = 0;     ///< heads of keys and values; 0: as many as heads
  std::size_t head_dim = 0;     ///< numbers in a head; 0: d_model / heads
  std::size_t d_ff;             ///< inner numbers of the feed-forward layer
  std::size_t context;          ///< the longest sequence, in tokens
  bool tie_embeddings = false;  ///< the head is the token embedding
  float norm_eps = 1e-5f;       ///< added to the mean of squares before the root
  double rope_theta = 10000.0;  ///< base of the rotary angles
  std::size_t rotary_dim = 0;   ///< numbers of a head that rotate; 0: all
  std::size_t window = 0;       ///< positions that a row sees, its own among them; 0: all before it

  /// What generated headers call this spec (io/pack.hpp).
  static constexpr const char* name = "phi3_config";
  /// f(name, value) for every field, in order.
  template <class F>
  constexpr void for_each_field(F&& f) const {
    for_each_common_field(*this, f);
    f("rotary_dim", rotary_dim);
    f("window", window);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = swiglu;

  /// What the config comes down to.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = rotary_decoder(*this, gated);
    s.window = window;
    s.rotary_dim = rotary_dim == 0 ? s.head_dim : rotary_dim;  // not 0: it tells Phi-3's files
    return s;
  }
};

}}  // namespace ctlm
