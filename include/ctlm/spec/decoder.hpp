// SPDX-License-Identifier: MIT
// ctlm: what every spec comes down to: the shape of a decoder-only transformer. One block type reads it.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How rows are normalised before each part of a block, and before the head.
enum class norm_kind : std::uint8_t {
  layer,  ///< layer_norm: GPT-2
  rms     ///< rms_norm: Llama
};
/// How a model knows where in the sequence a token stands.
enum class position_kind : std::uint8_t {
  learned,  ///< a trained row for every position is added to the token's: GPT-2
  rope      ///< queries and keys are rotated by angles that grow with the position (Su et al. 2021): Llama
};

/// The shape of a decoder-only transformer: what every spec comes down to, checked by check_decoder. Counts are of
/// numbers where nothing else is said.
struct decoder_shape {
  std::size_t vocab = 0;     ///< tokens in the vocabulary; tokens are 0 ... vocab - 1
  std::size_t d_model = 0;   ///< numbers in a row of the residual stream
  std::size_t layers = 0;    ///< transformer blocks
  std::size_t heads = 0;     ///< heads of queries
  std::size_t kv_heads = 0;  ///< heads of keys and values; each serves heads / kv_heads queries (Ainslie et al. 2023)
  std::size_t head_dim = 0;  ///< numbers in a head
  std::size_t d_ff = 0;      ///< inner numbers of the feed-forward layer
  std::size_t context = 0;   ///< the longest sequence, in tokens
  bool bias = false;         ///< projections have biases, and norms that can
  bool tie_embeddings = false;        ///< the head multiplies with the token embedding and has no matrix of its own
  bool gated = false;                 ///< the feed-forward layer has a second projection, as gate (SwiGLU, GEGLU)
  norm_kind norm = norm_kind::layer;  ///< which norm
  position_kind position = position_kind::learned;  ///< which positions
  float norm_eps = 1e-5f;                           ///< added to the mean of squares before the root; above 0
  double rope_theta = 10000.0;                      ///< base of the rotary angles; of position_kind::rope alone

  /// f(name, pointer to member) for every field. New ones come last, with a default that means "as before": what is
  /// left at its default takes no part in a fingerprint, so that files written before they existed stay valid.
  template <class F>
  static constexpr void for_each_field(F&& f) {
    f("vocab", &decoder_shape::vocab);
    f("d_model", &decoder_shape::d_model);
    f("layers", &decoder_shape::layers);
    f("heads", &decoder_shape::heads);
    f("kv_heads", &decoder_shape::kv_heads);
    f("head_dim", &decoder_shape::head_dim);
    f("d_ff", &decoder_shape::d_ff);
    f("context", &decoder_shape::context);
    f("bias", &decoder_shape::bias);
    f("tie_embeddings", &decoder_shape::tie_embeddings);
    f("gated", &decoder_shape::gated);
    f("norm", &decoder_shape::norm);
    f("position", &decoder_shape::position);
    f("norm_eps", &decoder_shape::norm_eps);
    f("rope_theta", &decoder_shape::rope_theta);
  }

  /// Numbers in a row of queries.
  constexpr std::size_t q_dim() const { return heads * head_dim; }
  /// Numbers in a row of keys, and in one of values.
  constexpr std::size_t kv_dim() const { return kv_heads * head_dim; }
  /// Numbers in a row of the first projection of attention: queries, then keys, then values.
  constexpr std::size_t qkv_dim() const { return q_dim() + 2 * kv_dim(); }
  /// Numbers in a row of the first projection of the feed-forward layer; of a gated one, the gate comes first.
  constexpr std::size_t up_dim() const { return gated ? 2 * d_ff : d_ff; }
  /// The longest row that a projection of the model writes, the head's among them: what sizes a session's scratch.
  constexpr std::size_t most_outputs() const { return larger(larger(vocab, d_model), larger(qkv_dim(), up_dim())); }
};

/// Numbers per head: what the config says, or d_model / heads; 0 if that is no whole number.
constexpr std::size_t head_size(std::size_t given, std::size_t d_model, std::size_t heads) {
  if (given > 0) return given;
  return heads > 0 && d_model % heads == 0 ? d_model / heads : 0;
}

/// The checks that every spec shares, each with its own words.
/// Instantiated with a tag type (not with the numbers), so that a message names the user's model.
template <class Tag, class Shape>
struct check_decoder {
  static constexpr bool readable = false;
  static constexpr bool ok = true;  // of a config with an error in it, which the compiler has named already
};
template <class Tag, class Shape>
requires requires { typename std::integral_constant<std::size_t, Shape::value.vocab>; }
struct check_decoder<Tag, Shape> {
  static constexpr bool readable = true;
  static constexpr decoder_shape s = Shape::value;
  static_assert(s.vocab > 0, "ctlm: config.vocab must be at least 1");
  static_assert(s.d_model > 0, "ctlm: config.d_model must be at least 1");
  static_assert(s.layers > 0, "ctlm: config.layers must be at least 1");
  static_assert(s.heads > 0, "ctlm: config.heads must be at least 1");
  static_assert(s.context > 0, "ctlm: config.context must be at least 1");
  static_assert(s.d_ff > 0, "ctlm: config.d_ff must be at least 1");
  static_assert(s.head_dim > 0 || s.heads == 0,
                "ctlm: config.heads must divide config.d_model, unless config.head_dim is given");
  static_assert(s.kv_heads > 0 && s.heads % larger(1, s.kv_heads) == 0,
                "ctlm: config.kv_heads must divide config.heads");
  static_assert(s.position != position_kind::rope || s.head_dim % 2 == 0,
                "ctlm: rotary positions need an even head size (config.head_dim, or config.d_model / config.heads)");
  static_assert(s.norm_eps > 0, "ctlm: config.norm_eps must be positive");
  static constexpr bool ok = true;
};

}}  // namespace ctlm
