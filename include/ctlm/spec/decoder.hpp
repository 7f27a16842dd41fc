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

/// How rotary angles are changed so that a model reads longer texts than it was trained on.
enum class rope_kind : std::uint8_t {
  plain,    ///< not at all
  linear,   ///< all frequencies divided by the factor (Chen et al. 2023, "position interpolation")
  dynamic,  ///< beyond the original context the base grows with the position (NTK-aware scaling)
  llama3,   ///< low frequencies divided, high ones kept, those between blended (Llama 3.1)
  yarn,     ///< the same by the number of turns, and scores made larger (Peng et al. 2023, "YaRN")
  longrope  ///< each frequency divided by a number of its own, and scores made larger (Ding et al. 2024, "LongRoPE")
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
  std::size_t d_ff = 0;      ///< inner numbers of the feed-forward layer; where there are experts, of one of them
  std::size_t context = 0;   ///< the longest sequence, in tokens
  bool bias = false;         ///< projections have biases, and norms that can
  bool tie_embeddings = false;        ///< the head multiplies with the token embedding and has no matrix of its own
  bool gated = false;                 ///< the feed-forward layer has a second projection, as gate (SwiGLU, GEGLU)
  norm_kind norm = norm_kind::layer;  ///< which norm
  position_kind position = position_kind::learned;  ///< which positions
  float norm_eps = 1e-5f;                           ///< added to the mean of squares before the root; above 0
  double rope_theta = 10000.0;                      ///< base of the rotary angles; of position_kind::rope alone

  // Of some architectures only. A layer's number counts from 0.
  bool qkv_bias = false;            ///< queries, keys and values have biases, even where `bias` is false: Qwen2
  bool qk_norm = false;             ///< queries and keys are normalised, head by head, before they turn: Qwen3, Gemma 3
  bool post_norms = false;          ///< what a part of a block adds is normalised as well: Gemma 2
  bool scaled_embeddings = false;   ///< embeddings are multiplied by sqrt(d_model): Gemma
  double query_scale = 0;           ///< factor of the scores; 0: 1 / sqrt(head_dim)
  float attention_cap = 0;          ///< scores s become cap * tanh(s / cap): Gemma 2; 0: they stay
  float logit_cap = 0;              ///< the same of logits; 0: they stay
  std::size_t window = 0;           ///< positions that a row sees, its own among them: Mistral; 0: all before it
  std::size_t full_every = 0;       ///< of models with a window: layers n - 1, 2n - 1, ... have none; 0: all have it
  std::size_t unrotated_every = 0;  ///< layers n - 1, 2n - 1, ... do not rotate: SmolLM3; 0: all rotate
  std::size_t rotary_dim =
      0;                   ///< numbers at the beginning of a head that rotate: Phi-3 and 4; 0: all, of other families
  double local_theta = 0;  ///< rope_theta, without scaling, of layers with a window: Gemma 3; 0: rope_theta
  rope_kind rope_scaling = rope_kind::plain;  ///< how rotary angles are changed for longer texts
  double rope_factor = 1;                     ///< how much longer texts become
  double rope_low = 1;                        ///< llama3: turns within the original context, below which to divide
  double rope_high = 4;                       ///< llama3: turns above which to keep
  double rope_fast = 32;                      ///< yarn: turns within the original context, above which to keep
  double rope_slow = 1;                       ///< yarn: turns below which to divide
  double rope_attention = 0;        ///< factor of cosines and sines; 0: 0.1 ln(rope_factor) + 1 of yarn, of longrope
                                    ///< sqrt(1 + ln(rope_factor) / ln(rope_context))
  std::size_t rope_context = 0;     ///< the context before it was made longer
  std::uint64_t rope_divisors = 0;  ///< longrope: rope_divisors::hash() of those that frequencies are divided by
  std::size_t experts = 0;          ///< feed-forward layers in a block, of which a row takes some; 0: one, for all rows
  std::size_t experts_per_token = 0;  ///< how many experts each row takes: those with the highest router probabilities
  bool normalised_experts = false;    ///< the probabilities of a row's experts are divided by their sum

  // Of projections that are products of thin matrices: their rank; 0: one matrix. A model's slot factored<> sets them.
  std::size_t qkv_rank = 0;   ///< of the projection to queries, keys and values
  std::size_t out_rank = 0;   ///< of that from attention
  std::size_t up_rank = 0;    ///< of that into the feed-forward part
  std::size_t down_rank = 0;  ///< of that out of it

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
    for_each_later_field(f);
  }

  /// Whether a row of this layer sees a window of positions alone.
  constexpr bool has_window(std::size_t layer) const {
    return window > 0 && (full_every == 0 || (layer + 1) % full_every != 0);
  }
  /// Positions that a row of this layer sees at most, its own among them.
  constexpr std::size_t window_of(std::size_t layer) const {
    return has_window(layer) ? smaller(window, context) : context;
  }
  /// Whether a layer's angles are those of local_theta.
  constexpr bool is_local(std::size_t layer) const { return local_theta > 0 && has_window(layer); }
  /// Whether queries and keys of this layer rotate.
  constexpr bool rotates(std::size_t layer) const {
    return position == position_kind::rope && (unrotated_every == 0 || (layer + 1) % unrotated_every != 0);
  }
  /// Numbers of a head that rotate.
  constexpr std::size_t rotated() const { return rotary_dim == 0 ? head_dim : rotary_dim; }

  /// Numbers in a row of queries.
  constexpr std::size_t q_dim() const { return heads * head_dim; }
  /// Numbers in a row of keys, and in one of values.
  constexpr std::size_t kv_dim() const { return kv_heads * head_dim; }
  /// Numbers in a row of the first projection of attention: queries, then keys, then values.
  constexpr std::size_t qkv_dim() const { return q_dim() + 2 * kv_dim(); }
  /// Numbers in a row of the first projection of the feed-forward layer, or of one expert; of a gated one, the gate
  /// comes first.
  constexpr std::size_t up_dim() const { return gated ? 2 * d_ff : d_ff; }
  /// Feed-forward layers in a block: its experts, or one.
  constexpr std::size_t feed_forwards() const { return larger(1, experts); }
  /// How many of them each row goes through.
  constexpr std::size_t feed_forwards_per_token() const { return larger(1, experts_per_token); }
  /// Whether any projection is a product of thin matrices.
  constexpr bool is_factored() const { return qkv_rank > 0 || out_rank > 0 || up_rank > 0 || down_rank > 0; }
  /// The longest row that a projection of the model writes, the head's among them: what sizes a session's scratch.
  constexpr std::size_t most_outputs() const {
    return larger(experts, larger(larger(vocab, d_model), larger(qkv_dim(), up_dim())));
  }

 private:
  template <class F>
  static constexpr void for_each_later_field(F& f) {
    f("qkv_bias", &decoder_shape::qkv_bias);
    f("qk_norm", &decoder_shape::qk_norm);
    f("post_norms", &decoder_shape::post_norms);
    f("scaled_embeddings", &decoder_shape::scaled_embeddings);
    f("query_scale", &decoder_shape::query_scale);
    f("attention_cap", &decoder_shape::attention_cap);
    f("logit_cap", &decoder_shape::logit_cap);
    f("window", &decoder_shape::window);
    f("full_every", &decoder_shape::full_every);
    f("unrotated_every", &decoder_shape::unrotated_every);
    f("rotary_dim", &decoder_shape::rotary_dim);
    f("local_theta", &decoder_shape::local_theta);
    f("rope_scaling", &decoder_shape::rope_scaling);
    f("rope_factor", &decoder_shape::rope_factor);
    f("rope_low", &decoder_shape::rope_low);
    f("rope_high", &decoder_shape::rope_high);
    f("rope_fast", &decoder_shape::rope_fast);
    f("rope_slow", &decoder_shape::rope_slow);
    f("rope_attention", &decoder_shape::rope_attention);
    f("rope_context", &decoder_shape::rope_context);
    f("experts", &decoder_shape::experts);
    f("experts_per_token", &decoder_shape::experts_per_token);
    f("normalised_experts", &decoder_shape::normalised_experts);
    f("rope_divisors", &decoder_shape::rope_divisors);
    f("qkv_rank", &decoder_shape::qkv_rank);
    f("out_rank", &decoder_shape::out_rank);
    f("up_rank", &decoder_shape::up_rank);
    f("down_rank", &decoder_shape::down_rank);
  }
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
  static_assert(s.rotary_dim % 2 == 0 && s.rotary_dim <= s.head_dim,
                "ctlm: config.rotary_dim must be even and no larger than a head");
  static_assert(s.rope_scaling == rope_kind::plain || (s.rope_factor >= 1 && s.rope_context > 0),
                "ctlm: a config with rope scaling needs a factor of at least 1 and the original context");
  static_assert(s.experts_per_token <= s.experts && (s.experts == 0 || s.experts_per_token > 0),
                "ctlm: config.experts_per_token must be at least 1 and at most config.experts");
  static_assert(s.experts == 0 || !s.bias, "ctlm: a config with experts cannot have biases in its projections");
  static_assert(s.rope_scaling != rope_kind::longrope || s.rope_divisors != 0,
                "ctlm: LongRoPE needs a divisor for each frequency: hf::config reads them, other configs have none");
  static constexpr bool ok = true;
};

}}  // namespace ctlm
