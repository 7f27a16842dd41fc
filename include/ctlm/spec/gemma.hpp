// SPDX-License-Identifier: MIT
// ctlm: Gemma (Gemma Team 2024): scaled embeddings, GEGLU. Weights of norms are gains here: files keep them less 1.
#pragma once

#include "../policy/activation/gelu.hpp"
#include "rotary_decoder.hpp"

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
    for_each_common_field(*this, f);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = geglu_tanh;

  /// What the config comes down to.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = rotary_decoder(*this, gated);
    s.scaled_embeddings = true;
    return s;
  }
};

}}  // namespace ctlm
