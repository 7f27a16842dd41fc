// SPDX-License-Identifier: MIT
// ctlm: as which of llama.cpp's architectures a model is computed, and what a GGUF file says of it.
#pragma once

#include "../model/rotary.hpp"
#include "gguf_writer.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// As what llama.cpp computes a model, or why it cannot.
struct gguf_family {
  const char* name = nullptr;     ///< general.architecture
  const char* problem = nullptr;  ///< what llama.cpp would compute otherwise; nullptr: nothing
  bool paired = false;            ///< rows of queries and keys have the two numbers of a pair side by side
  bool fused = false;             ///< queries, keys and values are one tensor, gate and up another
};

namespace gguf_detail {

constexpr bool same_text(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}
/// LongRoPE's divisors for texts longer than the original context, or for those that are not.
constexpr const char* divisors_name(bool of_long) {
  return of_long ? "rope_factors_long.weight" : "rope_factors_short.weight";
}
constexpr bool nearly(double a, double b) { return a - b < 1e-9 * b && b - a < 1e-9 * b; }

/// Which architecture has all that this shape has; nullptr if none does.
constexpr const char* architecture_of(const decoder_shape& s) {
  if (s.position == position_kind::learned) return s.norm == norm_kind::layer && !s.gated && s.bias ? "gpt2" : nullptr;
  if (s.norm != norm_kind::rms || !s.gated || (s.post_norms && !s.scaled_embeddings)) return nullptr;
  if (s.scaled_embeddings) return s.post_norms ? (s.qk_norm ? "gemma3" : "gemma2") : s.qk_norm ? nullptr : "gemma";
  if (s.unrotated_every > 0 && s.unrotated_every <= s.layers) return s.qk_norm || s.qkv_bias ? nullptr : "smollm3";
  if (s.qk_norm) return s.qkv_bias ? nullptr : s.experts > 0 ? "qwen3moe" : "qwen3";
  if (s.qkv_bias && !s.bias) return "qwen2";
  return s.rotated() < s.head_dim || s.rope_scaling == rope_kind::longrope ? "phi3" : "llama";
}

/// What differs from the architecture's own way, or nullptr.
constexpr const char* difference(const decoder_shape& s, const char* name, const char* activation) {
  const auto is = [&](const char* other) { return same_text(name, other); };
  if (s.experts > 0 && !is("llama") && !is("qwen3moe")) return "experts";
  if (s.experts > 0 && !s.normalised_experts) return "shares of experts that are not divided by their sum";
  const bool gemma = s.scaled_embeddings, windows = is("gemma2") || is("gemma3");
  if (!same_text(activation, is("gpt2") ? "gelu_tanh" : gemma ? "geglu_tanh" : "swiglu")) return "its activation";
  if (s.bias && !is("gpt2") && !is("llama")) return "biases of its projections";
  if (s.qkv_bias && !is("qwen2") && !is("llama")) return "biases of queries, keys and values";
  if ((is("gpt2") || is("qwen2") || is("phi3")) && s.q_dim() != s.d_model) return "heads that are no parts of a row";
  if (is("gpt2") && s.kv_heads != s.heads) return "keys that several heads share";
  if (!is("phi3") && s.rotated() < s.head_dim) return "heads of which a part rotates";
  if (is("smollm3"))
    for (std::size_t l = 0; l < s.layers; ++l)
      if (s.rotates(l) != ((l + 1) % 4 != 0)) return "which layers do not rotate: every fourth there";
  if (!windows && s.window > 0 && s.window < s.context) return "a window that is shorter than the context";
  if (s.attention_cap > 0 && !is("gemma2")) return "a cap of scores";
  if (s.logit_cap > 0 && !windows) return "a cap of logits";
  if (is("gemma2") && (s.attention_cap == 0 || s.logit_cap == 0)) return "the lack of caps of scores and logits";
  if ((is("gemma") || is("gemma2")) && !s.tie_embeddings) return "a head of its own";
  // Gemma's two largest models are known by their layers.
  const bool of_row = (is("gemma2") && s.layers == 46) || (is("gemma3") && s.layers == 62);
  const double expected = static_cast<double>(of_row ? s.d_model / s.heads : s.head_dim);
  if (!nearly(s.query_scale > 0 ? 1 / (s.query_scale * s.query_scale) : static_cast<double>(s.head_dim), expected))
    return "the scale of its scores";
  return nullptr;
}

/// The same of rotary angles.
constexpr const char* difference_of_angles(const decoder_shape& s, const char* name) {
  const auto is = [&](const char* other) { return same_text(name, other); };
  const bool two = s.local_theta > 0 && s.window > 0;  // local layers have other angles, which are not scaled
  if (two && !is("gemma2") && !is("gemma3")) return "angles of layers with a window";
  switch (s.rope_scaling) {
    case rope_kind::plain:
      return nullptr;
    case rope_kind::linear:
      if (is("gemma3") ? s.window > 0 && !two : two) return "which layers scale their rotary angles";
      return nullptr;
    case rope_kind::llama3:
      return is("llama") ? nullptr : "scaling of rotary angles as Llama 3's";
    case rope_kind::yarn:
      if (is("gemma2") || is("gemma3")) return "YaRN";
      return nearly(s.rope_fast, 32) && nearly(s.rope_slow, 1) ? nullptr : "the turns of YaRN: 32 and 1 there";
    case rope_kind::longrope:
      return is("phi3") ? nullptr : "LongRoPE";
    default:
      return s.context <= s.rope_context ? nullptr : "rotary angles whose base grows";
  }
}

}  // namespace gguf_detail

/// The architecture of a shape with this activation (its `name`).
constexpr gguf_family gguf_family_of(const decoder_shape& s, const char* activation) {
  gguf_family f;
  f.name = gguf_detail::architecture_of(s);
  if (f.name == nullptr) {
    f.problem = "its parts: no architecture there has them all";
    return f;
  }
  f.problem = gguf_detail::difference(s, f.name, activation);
  if (f.problem == nullptr && s.position == position_kind::rope)
    f.problem = gguf_detail::difference_of_angles(s, f.name);
  f.paired = gguf_detail::same_text(f.name, "llama") || gguf_detail::same_text(f.name, "smollm3");
  f.fused = gguf_detail::same_text(f.name, "phi3");
  return f;
}

namespace gguf_detail {

/// By what Llama 3's scaling divides the frequency of each pair.
inline std::vector<float> frequency_divisors(const decoder_shape& s) {
  std::vector<float> all;
  for (std::size_t i = 0; i < s.rotated() / 2; ++i) {
    const double plain = rope_frequency(s.rotated(), i, s.rope_theta);
    all.push_back(static_cast<float>(plain / rotary_detail::scaled_frequency(s, i, plain)));
  }
  return all;
}

/// Writes keys that begin with the architecture's name.
class family_keys {
 public:
  family_keys(gguf_writer& out, const char* architecture) : out_(out), architecture_(architecture) {}
  void count(const char* key, std::size_t n) { out_.set(full(key), static_cast<std::uint32_t>(n)); }
  void number(const char* key, double x) { out_.set(full(key), static_cast<float>(x)); }
  void text(const char* key, const char* value) { out_.set(full(key), value); }

 private:
  std::string full(const char* key) const {
    std::string s(architecture_);
    return s.append(".").append(key);
  }
  gguf_writer& out_;
  const char* architecture_;
};

inline void put_angles(family_keys& k, const decoder_shape& s) {
  k.count("rope.dimension_count", s.rotated());
  k.number("rope.freq_base", s.rope_theta);
  if (s.rope_scaling == rope_kind::linear || s.rope_scaling == rope_kind::yarn) {
    k.text("rope.scaling.type", s.rope_scaling == rope_kind::linear ? "linear" : "yarn");
    k.number("rope.scaling.factor", s.rope_factor);
  }
  if (s.rope_scaling != rope_kind::plain && s.rope_scaling != rope_kind::dynamic)
    k.count("rope.scaling.original_context_length", s.rope_context);
  if (s.rope_scaling == rope_kind::longrope) {
    k.text("rope.scaling.type", "longrope");
    k.number("rope.scaling.attn_factor", rotary_detail::amplitude(s));
  }
  if (s.rope_scaling == rope_kind::llama3) {  // what llama.cpp reads is rope_freqs.weight
    k.number("rope.scaling.low_freq_factor", s.rope_low);
    k.number("rope.scaling.high_freq_factor", s.rope_high);
  }
  if (s.rope_scaling != rope_kind::yarn) return;
  k.number("rope.scaling.yarn_beta_fast", s.rope_fast);
  k.number("rope.scaling.yarn_beta_slow", s.rope_slow);
  if (s.rope_attention > 0)  // llama.cpp multiplies it with what the factor alone would give
    k.number("rope.scaling.attn_factor", s.rope_attention / (0.1 * math::log(s.rope_factor) + 1));
}

/// All that a file says of a shape.
inline void put_shape(gguf_writer& out, const char* architecture, const decoder_shape& s) {
  family_keys k(out, architecture);
  k.count("vocab_size", s.vocab);
  k.count("context_length", s.context);
  k.count("embedding_length", s.d_model);
  k.count("block_count", s.layers);
  k.count("feed_forward_length", s.d_ff);
  if (s.experts > 0) {
    k.count("expert_count", s.experts);
    k.count("expert_used_count", s.experts_per_token);
    k.count("expert_feed_forward_length", s.d_ff);
  }
  k.count("attention.head_count", s.heads);
  k.count("attention.head_count_kv", s.kv_heads);
  k.number(s.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
           static_cast<double>(s.norm_eps));
  if (s.position == position_kind::learned) return;
  k.count("attention.key_length", s.head_dim);
  k.count("attention.value_length", s.head_dim);
  put_angles(k, s);
  if (!s.post_norms) return;
  if (s.attention_cap > 0) k.number("attn_logit_softcapping", static_cast<double>(s.attention_cap));
  if (s.logit_cap > 0) k.number("final_logit_softcapping", static_cast<double>(s.logit_cap));
  if (s.qk_norm && s.window == 0) return;  // of Gemma 2, a file that is silent means 4096 positions
  k.count("attention.sliding_window", s.window > 0 ? s.window : s.context);
  k.count("attention.sliding_window_pattern", s.window > 0 ? s.full_every : 1);
  k.number("rope.freq_base_swa", s.local_theta > 0 ? s.local_theta : s.rope_theta);
}

}  // namespace gguf_detail

}}  // namespace ctlm
