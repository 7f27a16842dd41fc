// SPDX-License-Identifier: MIT
// ctlm: a model as a folder of Hugging Face: config.json and model.safetensors, so that `transformers` computes with
// what was trained here.
#pragma once

#include "../model/causal_lm.hpp"
#include "config_text.hpp"
#include "save_weights.hpp"

#include <sys/stat.h>

namespace ctlm { inline namespace CTLM_ABI {

namespace save_detail {

/// The same of a model with experts.
constexpr const char* experts_type(const decoder_shape& s) {
  const bool plain = !s.bias && !s.qkv_bias && !s.post_norms && s.unrotated_every == 0 && s.rotary_dim == 0 &&
                     s.full_every == 0 && s.local_theta == 0 && s.attention_cap == 0 && s.logit_cap == 0;
  if (!plain) return nullptr;
  if (s.qk_norm) return s.window == 0 ? "qwen3_moe" : nullptr;
  return s.normalised_experts ? "mixtral" : nullptr;
}
/// The same of a model with LongRoPE.
constexpr const char* longrope_type(const decoder_shape& s) {
  const bool plain = s.norm == norm_kind::rms && s.gated && !s.scaled_embeddings && !s.post_norms && !s.qk_norm &&
                     !s.qkv_bias && s.experts == 0 && s.unrotated_every == 0 && s.full_every == 0;
  if (!plain || (has_fused_tensors(s) && s.bias)) return nullptr;
  return has_fused_tensors(s) ? "phi3" : s.window == 0 ? "llama" : nullptr;
}
/// Whose model it is: the model_type of transformers, or nullptr if no family of it computes so.
constexpr const char* model_type(const decoder_shape& s) {
  if (s.rope_scaling == rope_kind::longrope) return longrope_type(s);
  if (s.position == position_kind::learned) return s.norm == norm_kind::layer && !s.gated && s.bias ? "gpt2" : nullptr;
  if (s.norm != norm_kind::rms || !s.gated) return nullptr;
  if (s.scaled_embeddings) return s.post_norms ? (s.qk_norm ? "gemma3_text" : "gemma2") : "gemma";
  if (s.experts > 0) return experts_type(s);
  if (s.unrotated_every > 0) return "smollm3";
  if (s.qk_norm) return s.window == 0 && !s.bias ? "qwen3" : nullptr;
  if (s.qkv_bias) return s.window == 0 && !s.bias ? "qwen2" : nullptr;
  if (has_fused_tensors(s)) return s.bias || s.full_every > 0 || s.rope_scaling != rope_kind::plain ? nullptr : "phi3";
  if (s.window > 0) return s.bias || s.full_every > 0 ? nullptr : "mistral";
  return "llama";
}
constexpr const char* architecture(const char* type) {
  constexpr const char* all[][2] = {
      {"gpt2", "GPT2LMHeadModel"},          {"llama", "LlamaForCausalLM"},     {"mistral", "MistralForCausalLM"},
      {"qwen2", "Qwen2ForCausalLM"},        {"qwen3", "Qwen3ForCausalLM"},     {"smollm3", "SmolLM3ForCausalLM"},
      {"phi3", "Phi3ForCausalLM"},          {"gemma", "GemmaForCausalLM"},     {"gemma2", "Gemma2ForCausalLM"},
      {"gemma3_text", "Gemma3ForCausalLM"}, {"mixtral", "MixtralForCausalLM"}, {"qwen3_moe", "Qwen3MoeForCausalLM"},
  };
  for (const auto& row : all)
    if (std::string_view(row[0]) == type) return row[1];
  return nullptr;
}
/// transformers' name of an activation, or nullptr.
constexpr const char* activation_name(std::string_view ours) {
  if (ours == "swiglu" || ours == "silu") return "silu";
  if (ours == "geglu_tanh") return "gelu_pytorch_tanh";
  if (ours == "gelu_tanh") return "gelu_new";
  if (ours == "geglu" || ours == "gelu") return "gelu";
  return ours == "relu" ? "relu" : nullptr;
}

inline void put_gpt2(config_text& o, const decoder_shape& s, const char* activation) {
  o.integer("n_embd", s.d_model);
  o.integer("n_layer", s.layers);
  o.integer("n_head", s.heads);
  o.integer("n_inner", s.d_ff);
  o.integer("n_positions", s.context);
  o.number("layer_norm_epsilon", s.norm_eps);
  o.string("activation_function", activation);
}
/// LongRoPE. The model has one list of divisors, that for its context: the file has it twice.
inline void put_longrope(config_text& o, const decoder_shape& s, const rope_divisors& divisors) {
  o.integer("original_max_position_embeddings", s.rope_context);
  config_text r;
  r.string("rope_type", "longrope");
  for (const char* list : {"short_factor", "long_factor"}) r.numbers(list, {divisors.values, divisors.count});
  r.number("attention_factor", rotary_detail::amplitude(s));
  o.key("rope_scaling", r.finished());
}
inline void put_rope_scaling(config_text& o, const decoder_shape& s) {
  if (s.rope_scaling == rope_kind::longrope) return;
  if (s.rope_scaling == rope_kind::plain) return o.key("rope_scaling", "null");
  constexpr const char* kinds[] = {"default", "linear", "dynamic", "llama3", "yarn"};
  config_text r;
  r.string("rope_type", kinds[static_cast<std::size_t>(s.rope_scaling)]);
  r.number("factor", s.rope_factor);
  r.integer("original_max_position_embeddings", s.rope_context);
  if (s.rope_scaling == rope_kind::llama3) {
    r.number("low_freq_factor", s.rope_low);
    r.number("high_freq_factor", s.rope_high);
  }
  if (s.rope_scaling == rope_kind::yarn) {
    r.number("beta_fast", s.rope_fast);
    r.number("beta_slow", s.rope_slow);
    if (s.rope_attention > 0) r.number("attention_factor", s.rope_attention);
  }
  o.key("rope_scaling", r.finished());
}
/// The share of a head that rotates, so that the product with the head's size, cut off behind the point, is rotary_dim.
constexpr double rotating_share(const decoder_shape& s) {
  const auto head = static_cast<double>(s.head_dim), exact = static_cast<double>(s.rotary_dim) / head;
  if (static_cast<std::size_t>(exact * head) == s.rotary_dim) return exact;
  return (static_cast<double>(s.rotary_dim) + 0.5) / head;
}
inline void put_llama(config_text& o, const decoder_shape& s, const char* activation) {
  o.integer("hidden_size", s.d_model);
  o.integer("num_hidden_layers", s.layers);
  o.integer("num_attention_heads", s.heads);
  o.integer("num_key_value_heads", s.kv_heads);
  o.integer("head_dim", s.head_dim);
  o.integer("intermediate_size", s.d_ff);
  // Dynamic scaling begins where the positions of the config end.
  o.integer("max_position_embeddings", s.rope_scaling == rope_kind::dynamic ? s.rope_context : s.context);
  o.number("rms_norm_eps", s.norm_eps);
  o.number("rope_theta", s.rope_theta);
  put_rope_scaling(o, s);
  o.flag("attention_bias", s.bias);
  o.flag("mlp_bias", s.bias);
  o.string("hidden_act", activation);
  o.string("hidden_activation", activation);
  if (s.window > 0)
    o.integer("sliding_window", s.window);
  else
    o.key("sliding_window", "null");
  if (s.unrotated_every > 0) o.integer("no_rope_layer_interval", s.unrotated_every);
  if (s.rotary_dim > 0) o.number("partial_rotary_factor", rotating_share(s));
}
inline void put_experts(config_text& o, const decoder_shape& s) {
  o.integer("num_experts_per_tok", s.experts_per_token);
  if (!s.qk_norm) return o.integer("num_local_experts", s.experts);
  o.integer("num_experts", s.experts);
  o.integer("moe_intermediate_size", s.d_ff);
  o.flag("norm_topk_prob", s.normalised_experts);
  o.integer("decoder_sparse_step", 1);
  o.key("mlp_only_layers", "[]");
}
/// Gemma's scores are divided by the root of a whole number: that number.
constexpr std::size_t query_divisor(const decoder_shape& s) {
  const double divisor = s.query_scale > 0 ? 1 / (s.query_scale * s.query_scale) : static_cast<double>(s.head_dim);
  const auto below = static_cast<std::size_t>(divisor);
  return divisor - static_cast<double>(below) < 0.5 ? below : below + 1;
}
constexpr bool has_query_divisor(const decoder_shape& s) {
  const double scale = 1 / math::sqrt(static_cast<double>(query_divisor(s)));
  return s.query_scale == 0 || (scale - s.query_scale < 1e-9 && s.query_scale - scale < 1e-9);
}

inline void put_gemma(config_text& o, const decoder_shape& s) {
  o.integer("query_pre_attn_scalar", query_divisor(s));
  s.attention_cap > 0 ? o.number("attn_logit_softcapping", s.attention_cap) : o.key("attn_logit_softcapping", "null");
  s.logit_cap > 0 ? o.number("final_logit_softcapping", s.logit_cap) : o.key("final_logit_softcapping", "null");
  if (s.local_theta > 0) o.number("rope_local_base_freq", s.local_theta);
  std::string types = "[";
  for (std::size_t l = 0; l < s.layers; ++l)
    types.append(l == 0 ? "" : ", ").append(s.has_window(l) ? "\"sliding_attention\"" : "\"full_attention\"");
  o.key("layer_types", types.append("]"));
}

}  // namespace save_detail

/// The config.json of model M. errc::unsupported if no family of transformers computes as it does.
template <class M>
result<std::string> hf_config_text() {
  constexpr decoder_shape s = M::shape;
  constexpr const char* type = save_detail::model_type(s);
  constexpr const char* activation = save_detail::activation_name(M::activation_policy::name);
  const bool scales = s.post_norms ? save_detail::has_query_divisor(s) : s.query_scale == 0;
  if (type == nullptr || activation == nullptr || !scales ||
      !std::is_same_v<typename M::norm, typename M::default_norm>)
    return failure{errc::unsupported, "ctlm: no family of models on Hugging Face computes as this one does"};
  return or_out_of_memory("ctlm: there is no memory for a config.json", [&]() -> result<std::string> {
    config_text o;
    o.key("architectures", std::string("[\"").append(save_detail::architecture(type)).append("\"]"));
    o.string("model_type", type);
    o.integer("vocab_size", s.vocab);
    o.flag("tie_word_embeddings", s.tie_embeddings);
    for (const char* name : {"bos_token_id", "eos_token_id", "pad_token_id"}) o.key(name, "null");
    if constexpr (s.position == position_kind::learned)
      save_detail::put_gpt2(o, s, activation);
    else
      save_detail::put_llama(o, s, activation);
    if constexpr (s.rope_scaling == rope_kind::longrope) save_detail::put_longrope(o, s, M::tag::config.divisors);
    if constexpr (s.post_norms) save_detail::put_gemma(o, s);
    if constexpr (s.experts > 0) save_detail::put_experts(o, s);
    return o.finished();
  });
}

/// Writes `folder`/config.json and `folder`/model.safetensors; the folder is made if it is not there. Each file is
/// replaced at once, or stays. Errors: errc::unsupported (hf_config_text); those of save_weights.
template <class M, class F>
result<void> save_hf(const char* folder, const weight_views<typename M::shape_type, F>& weights,
                     safetensors_type type = safetensors_type::f32) {
  const auto config = hf_config_text<M>();
  if (!config) return config.error();
  return or_out_of_memory("ctlm: there is no memory for a path", [&]() -> result<void> {
    const std::string path = folder;
    ::mkdir(folder, 0777);  // if that fails, so does what follows, and says why
    if (const auto r = replace_file((path + "/config.json").c_str(), *config); !r) return r;
    return save_weights((path + "/model.safetensors").c_str(), weights, type);
  });
}

}}  // namespace ctlm
