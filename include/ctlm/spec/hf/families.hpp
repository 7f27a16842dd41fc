// SPDX-License-Identifier: MIT
// ctlm: what each family of models on Hugging Face writes into its config.json, and which of it ctlm computes with.
#pragma once

#include "rope.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace hf {

namespace families_detail {

/// The activation by the names that files use; a missing key is `otherwise`.
constexpr activation_kind read_activation(reader& r, const char* key, activation_kind otherwise, bool gated) {
  const json::value v = r.at(key);
  if (!v) return otherwise;
  if (v.equals("silu") || v.equals("swish")) return gated ? activation_kind::swiglu : activation_kind::silu;
  if (v.equals("gelu_pytorch_tanh") || v.equals("gelu_new") || v.equals("gelu_fast"))
    return gated ? activation_kind::geglu_tanh : activation_kind::gelu_tanh;
  if (v.equals("gelu")) return gated ? activation_kind::geglu : activation_kind::gelu;
  if (v.equals("relu") && !gated) return activation_kind::relu;
  r.refuse(key, v);
  return otherwise;
}

/// What all families after GPT-2 have in common. `kv_heads`: where the key is missing; 0: as many as heads, which is
/// what null means.
constexpr decoder_shape read_sizes(reader& r, float eps, bool tied, std::size_t kv_heads = 0) {
  decoder_shape s;
  s.vocab = r.integer("vocab_size");
  s.d_model = r.integer("hidden_size");
  s.layers = r.integer("num_hidden_layers");
  s.heads = r.integer("num_attention_heads");
  const bool as_heads = kv_heads == 0 || r.root.find("num_key_value_heads").is_null();
  s.kv_heads = r.integer("num_key_value_heads", as_heads ? s.heads : kv_heads);
  s.head_dim = head_size(r.integer("head_dim", 0), s.d_model, s.heads);
  s.d_ff = r.integer("intermediate_size");
  s.context = r.integer("max_position_embeddings");
  s.norm = norm_kind::rms;
  s.norm_eps = static_cast<float>(r.number("rms_norm_eps", static_cast<double>(eps)));
  s.tie_embeddings = r.flag("tie_word_embeddings", tied);
  r.absent("quantization_config");
  return s;
}

/// layer_types must say what `window` and `full_every` say.
constexpr void check_layer_types(reader& r, const decoder_shape& s) {
  std::size_t layer = 0;
  for (const json::value v : r.at("layer_types").elements()) {
    const bool full = s.window == 0 || (s.full_every > 0 && (layer + 1) % s.full_every == 0);
    if (!v.equals(full ? "full_attention" : "sliding_attention")) r.refuse("layer_types", v);
    ++layer;
  }
}

/// Every n-th layer is full: n from layer_types, or from a key of its own.
constexpr std::size_t read_full_every(reader& r, const char* key, std::size_t otherwise) {
  std::size_t layer = 0;
  for (const json::value v : r.at("layer_types").elements()) {
    ++layer;
    if (v.equals("full_attention")) return layer;
  }
  return layer > 0 ? 0 : r.integer(key, otherwise);
}

constexpr double inverse_root(reader& r, const char* key, double otherwise) {
  const double n = r.number(key, otherwise);
  if (!(n > 0)) r.refuse(key, r.at(key));
  return n > 0 ? 1 / math::sqrt(n) : 1;
}

constexpr void read_gpt2(reader& r, decoder_shape& s, activation_kind& a) {
  s.vocab = r.integer("vocab_size");
  s.d_model = r.integer("n_embd");
  s.layers = r.integer("n_layer");
  s.heads = s.kv_heads = r.integer("n_head");
  s.head_dim = head_size(0, s.d_model, s.heads);
  s.d_ff = r.integer("n_inner", 4 * s.d_model);
  s.context = r.integer("n_positions");
  s.bias = true;
  s.tie_embeddings = r.flag("tie_word_embeddings", true);
  s.norm_eps = static_cast<float>(r.number("layer_norm_epsilon", 1e-5));
  r.only("scale_attn_weights", true, true);
  r.only("scale_attn_by_inverse_layer_idx", false, false);
  r.only("add_cross_attention", false, false);
  a = read_activation(r, "activation_function", activation_kind::gelu_tanh, false);
}

constexpr void read_llama(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-6f, false);
  read_rope(r, s, 10000);
  s.bias = r.flag("attention_bias", false);
  r.only("mlp_bias", s.bias, false);
  r.only("pretraining_tp", 1);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
constexpr void read_mistral(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-6f, false, 8);
  read_rope(r, s, 10000);
  s.window = r.integer_or_off("sliding_window", 4096);
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
constexpr void read_qwen2(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-6f, false, 32);
  read_rope(r, s, 10000);
  s.qkv_bias = true;
  r.only("use_sliding_window", false, false);
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
constexpr void read_qwen3(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-6f, false, 32);
  if (!r.at("head_dim")) s.head_dim = 128;
  read_rope(r, s, 10000);
  s.qk_norm = true;
  r.only("attention_bias", false, false);
  r.only("use_sliding_window", false, false);
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
/// Both names of the number of experts are in use; `experts` and `taken` are those of files that do not have the keys.
constexpr void read_experts(reader& r, decoder_shape& s, std::size_t experts, std::size_t taken) {
  s.experts = r.at("num_local_experts") ? r.integer("num_local_experts") : r.integer("num_experts", experts);
  s.experts_per_token = r.integer("num_experts_per_tok", taken);
}
constexpr void read_mixtral(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-5f, false, 8);
  read_rope(r, s, 1000000);
  s.window = r.integer_or_off("sliding_window", 0);
  read_experts(r, s, 8, 2);
  s.normalised_experts = true;
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
/// All of its layers must have experts: intermediate_size is that of layers without.
constexpr void read_qwen3_moe(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-6f, false, 4);
  read_rope(r, s, 10000);
  s.qk_norm = true;
  read_experts(r, s, 128, 8);
  s.d_ff = r.integer("moe_intermediate_size", 768);
  s.normalised_experts = r.flag("norm_topk_prob", false);
  r.only("decoder_sparse_step", 1);
  for ([[maybe_unused]] const json::value v : r.at("mlp_only_layers").elements())
    r.refuse("mlp_only_layers", r.at("mlp_only_layers"));
  r.only("attention_bias", false, false);
  r.only("use_sliding_window", false, false);
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
constexpr void read_smollm3(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-6f, true, 4);
  read_rope(r, s, 2000000);
  s.unrotated_every = r.integer("no_rope_layer_interval", 4);
  std::size_t layer = 0;
  for (const json::value v : r.at("no_rope_layers").elements()) {  // 1: rotates
    const auto rotates = v.as_integer<std::size_t>();
    if (!rotates || *rotates != (s.rotates(layer) ? 1u : 0u)) r.refuse("no_rope_layers", v);
    ++layer;
  }
  r.only("attention_bias", false, false);
  r.only("mlp_bias", false, false);
  r.only("use_sliding_window", false, false);
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}
constexpr void read_phi3(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_sizes(r, 1e-5f, false);
  read_phi3_rope(r, s);
  read_partial_rotation(r, s);
  s.window = r.integer("sliding_window", 0);
  check_layer_types(r, s);
  a = read_activation(r, "hidden_act", activation_kind::swiglu, true);
}

/// What all Gemmas have in common.
constexpr decoder_shape read_gemma_sizes(reader& r, std::size_t kv_heads) {
  decoder_shape s = read_sizes(r, 1e-6f, true, kv_heads);
  if (!r.at("head_dim")) s.head_dim = 256;
  s.scaled_embeddings = true;
  r.only("attention_bias", false, false);
  r.only("use_bidirectional_attention", false, false);
  return s;
}
/// What Gemma 2 and 3 add; layers n - 1, 2n - 1, ... are full, and caps are those of files that do not have the keys.
constexpr void read_gemma2_parts(reader& r, decoder_shape& s, std::size_t n, double score_cap, double logit_cap) {
  s.post_norms = true;
  s.query_scale = inverse_root(r, "query_pre_attn_scalar", 256);
  s.attention_cap = static_cast<float>(r.number_or_off("attn_logit_softcapping", score_cap));
  s.logit_cap = static_cast<float>(r.number_or_off("final_logit_softcapping", logit_cap));
  s.window = r.integer_or_off("sliding_window", 4096);
  s.full_every = read_full_every(r, "sliding_window_pattern", n);
  check_layer_types(r, s);
}
constexpr void read_gemma(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_gemma_sizes(r, 16);
  read_rope(r, s, 10000);
  // Files of the first Gemma say "gelu" and mean the tanh approximation, as transformers reads them.
  a = r.at("hidden_act").equals("gelu") ? activation_kind::geglu_tanh
                                        : read_activation(r, "hidden_act", activation_kind::geglu_tanh, true);
}
constexpr void read_gemma2(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_gemma_sizes(r, 4);
  read_rope(r, s, 10000);
  read_gemma2_parts(r, s, 2, 50, 30);
  a = read_activation(r, "hidden_activation", activation_kind::geglu_tanh, true);
}
constexpr void read_gemma3(reader& r, decoder_shape& s, activation_kind& a) {
  s = read_gemma_sizes(r, 4);
  read_rope_of_layers(r, s, 1000000, 10000);
  read_gemma2_parts(r, s, 6, 0, 0);
  s.qk_norm = true;
  a = read_activation(r, "hidden_activation", activation_kind::geglu_tanh, true);
}

struct family {
  const char* model_type;
  void (*read)(reader&, decoder_shape&, activation_kind&);
};
/// A new family is a function, and a line here.
inline constexpr family families[] = {
    {"gpt2", read_gpt2},     {"llama", read_llama},        {"mistral", read_mistral}, {"qwen2", read_qwen2},
    {"qwen3", read_qwen3},   {"smollm3", read_smollm3},    {"phi3", read_phi3},       {"gemma", read_gemma},
    {"gemma2", read_gemma2}, {"gemma3_text", read_gemma3}, {"mixtral", read_mixtral}, {"qwen3_moe", read_qwen3_moe},
};

}  // namespace families_detail

/// Fills shape and activation from a config.json.
constexpr void read_family(reader& r, decoder_shape& s, activation_kind& a) {
  const json::value type = r.at("model_type");
  if (!type) return r.refuse("model_type", "missing", problem::missing);
  for (const auto& f : families_detail::families)
    if (type.equals(f.model_type)) return f.read(r, s, a);
  r.refuse("model_type", type);
}

}}}  // namespace ctlm::hf
