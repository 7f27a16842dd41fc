// SPDX-License-Identifier: MIT
// ctlm: what all specs after GPT-2 have in common: their sizes, RMSNorm and rotary positions. A spec adds what sets it
// apart.
#pragma once

#include "decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// f(name, value) for the fields that a config begins with, in order.
template <class Config, class F>
constexpr void for_each_common_field(const Config& c, F&& f) {
  f("vocab", c.vocab);
  f("d_model", c.d_model);
  f("layers", c.layers);
  f("heads", c.heads);
  f("kv_heads", c.kv_heads);
  f("head_dim", c.head_dim);
  f("d_ff", c.d_ff);
  f("context", c.context);
  f("tie_embeddings", c.tie_embeddings);
  f("norm_eps", c.norm_eps);
  f("rope_theta", c.rope_theta);
}

/// The shape that these fields describe; `gated` is that of the activation.
template <class Config>
constexpr decoder_shape rotary_decoder(const Config& c, bool gated) {
  return {.vocab = c.vocab,
          .d_model = c.d_model,
          .layers = c.layers,
          .heads = c.heads,
          .kv_heads = c.kv_heads == 0 ? c.heads : c.kv_heads,
          .head_dim = head_size(c.head_dim, c.d_model, c.heads),
          .d_ff = c.d_ff,
          .context = c.context,
          .tie_embeddings = c.tie_embeddings,
          .gated = gated,
          .norm = norm_kind::rms,
          .position = position_kind::rope,
          .norm_eps = c.norm_eps,
          .rope_theta = c.rope_theta};
}

}}  // namespace ctlm
