// SPDX-License-Identifier: MIT
// ctlm: Llama (Touvron et al. 2023): RMSNorm, rotary positions, SwiGLU, grouped-query attention.
#pragma once

#include "../policy/activation/silu.hpp"
#include "rope_scaling.hpp"
#include "rotary_decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The shape of a Llama (Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models"): the value of
/// `config` in a model's tag. What cannot be computed with does not compile, and names the field.
struct llama_config {
  std::size_t vocab;            ///< tokens in the vocabulary, at least 1
  std::size_t d_model;          ///< numbers in a row of the residual stream
  std::size_t layers;           ///< transformer blocks
  std::size_t heads;            ///< heads of queries; must divide d_model, unless head_dim is given
  std::size_t kv_heads = 0;     ///< heads of keys and values; must divide heads; 0: as many as heads
  std::size_t head_dim = 0;     ///< numbers in a head, even; 0: d_model / heads
  std::size_t d_ff;             ///< inner numbers of the feed-forward layer
  std::size_t context;          ///< the longest sequence, in tokens: the KV cache has room for so many
  bool tie_embeddings = false;  ///< the head multiplies with the token embedding and has no matrix of its own
  bool bias = false;            ///< projections have biases; norms have none
  float norm_eps = 1e-5f;       ///< added to the mean of squares before the root
  double rope_theta = 10000.0;  ///< base of the rotary angles (Su et al. 2021, "RoFormer")
  rope_scaling scaling{};       ///< of the rotary angles, for longer texts (Llama 3.1)

  /// What generated headers call this spec (io/pack.hpp).
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
    f("scaling", scaling);
  }

  /// The activation of a model without a slot activation<>.
  using default_activation = swiglu;

  /// The shape with all defaults filled in; `gated` is that of the activation.
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = rotary_decoder(*this, gated);
    s.bias = bias;
    return scaling.applied_to(s);
  }
};

}}  // namespace ctlm
