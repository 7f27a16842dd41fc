// SPDX-License-Identifier: MIT
// ctlm: the metadata of a GGUF file as the config.json that hf::config reads: so that a GGUF file becomes a type in the
// same way as a folder of Hugging Face.
#pragma once

#include "../memory/out_of_memory.hpp"
#include "config_text.hpp"
#include "gguf.hpp"
#include "gguf_family.hpp"

#include <string_view>

namespace ctlm { inline namespace CTLM_ABI {

namespace gguf_config_detail {

/// Architectures as GGUF and as transformers name them.
constexpr const char* families[][2] = {
    {"gpt2", "gpt2"}, {"llama", "llama"}, {"qwen2", "qwen2"},   {"qwen3", "qwen3"},        {"smollm3", "smollm3"},
    {"phi3", "phi3"}, {"gemma", "gemma"}, {"gemma2", "gemma2"}, {"gemma3", "gemma3_text"}, {"qwen3moe", "qwen3_moe"},
};
constexpr const char* model_type(std::string_view architecture) {
  for (const auto& f : families)
    if (architecture == f[0]) return f[1];
  return nullptr;
}

/// Copies numbers of the metadata, under other names, and remembers what is wrong.
class translator {
 public:
  translator(const gguf_file& file, std::string_view architecture) : file_(file), architecture_(architecture) {}

  const gguf_value* find(const char* key) const {
    std::string full(architecture_);
    full.append(".").append(key);
    return file_.metadata().find(span<const char>(full));
  }
  /// A whole number; one that is missing is left out, unless it is needed.
  std::size_t integer(const char* key, const char* name, bool needed = false) {
    const gguf_value* const v = find(key);
    if (v == nullptr) {
      if (needed && problem.code == errc::ok)
        problem = {
            errc::wrong_model, "ctlm: this GGUF file does not say {name}", 0, 0, 0, remember(std::string_view(key))};
      return 0;
    }
    const auto n = v->as_integer();
    if (!n || *n < 0) {
      if (problem.code == errc::ok)
        problem =
            n ? failure{errc::wrong_model, "ctlm: this GGUF file says a negative {name}", 0, 0, 0, remember(v->key())}
              : n.error();
      return 0;
    }
    if (name != nullptr) out.integer(name, static_cast<std::size_t>(*n));
    return static_cast<std::size_t>(*n);
  }
  /// A number, as it is in the file: of single precision.
  void number(const char* key, const char* name) {
    const gguf_value* const v = find(key);
    if (v == nullptr) return;
    if (const auto n = v->as_number())
      out.number(name, static_cast<float>(*n));
    else if (problem.code == errc::ok)
      problem = n.error();
  }

  config_text out;
  failure problem{};

 private:
  const gguf_file& file_;
  std::string_view architecture_;
};

inline void translate_gpt2(translator& t) {
  t.integer("embedding_length", "n_embd", true);
  t.integer("block_count", "n_layer", true);
  t.integer("attention.head_count", "n_head", true);
  t.integer("feed_forward_length", "n_inner", true);
  t.integer("context_length", "n_positions", true);
  t.number("attention.layer_norm_epsilon", "layer_norm_epsilon");
}

/// Llama 3's scaling, which files have as a tensor: the numbers that it is made of, unless they make another one.
inline void translate_divisors(translator& t, const stored_tensor& divisors, std::size_t rotated) {
  const auto number = [&](const char* key, double otherwise) {
    const gguf_value* const v = t.find(key);
    const auto n = v == nullptr ? result<double>(otherwise) : v->as_number();
    return n ? *n : otherwise;
  };
  std::vector<float> theirs(divisors.count());
  divisors.decode(0, theirs.size(), theirs.data());
  decoder_shape s;
  s.rope_theta = number("rope.freq_base", 10000);
  s.rope_context = static_cast<std::size_t>(number("rope.scaling.original_context_length", 8192));
  s.rope_scaling = rope_kind::llama3;
  s.rope_low = number("rope.scaling.low_freq_factor", 1);
  s.rope_high = number("rope.scaling.high_freq_factor", 4);
  s.head_dim = rotated;
  for (const float x : theirs)
    s.rope_factor = static_cast<double>(x) > s.rope_factor ? static_cast<double>(x) : s.rope_factor;
  bool same = theirs.size() == rotated / 2 && s.rope_low < s.rope_high;
  const auto ours = same ? gguf_detail::frequency_divisors(s) : std::vector<float>();
  for (std::size_t i = 0; same && i < ours.size(); ++i)
    same = ours[i] - theirs[i] < 1e-4f * ours[i] && theirs[i] - ours[i] < 1e-4f * ours[i];
  if (!same && t.problem.code == errc::ok)
    t.problem = {
        errc::unsupported,
        "ctlm: this GGUF file scales its rotary angles by a tensor (rope_freqs.weight), and not as Llama 3 does: "
        "write its config by hand"};
  config_text r;
  r.string("rope_type", "llama3");
  r.number("factor", s.rope_factor);
  r.number("low_freq_factor", s.rope_low);
  r.number("high_freq_factor", s.rope_high);
  r.integer("original_max_position_embeddings", s.rope_context);
  t.out.key("rope_scaling", r.finished());
}

/// LongRoPE, whose lists files have as tensors.
inline void translate_longrope(translator& t, const gguf_file& file) {
  config_text r;
  r.string("rope_type", "longrope");
  for (const bool of_long : {false, true}) {
    const stored_tensor* const list = file.find(gguf_detail::divisors_name(of_long));
    if (list == nullptr || list->count() > rope_divisors::most) {
      if (t.problem.code == errc::ok)
        t.problem = {
            errc::wrong_model,
            "ctlm: this GGUF file has no list {name} of at most {needed} numbers, and scales its rotary angles "
            "by two such lists",
            0,
            rope_divisors::most,
            0,
            gguf_detail::divisors_name(of_long)};
      return;
    }
    std::vector<float> numbers(list->count());
    list->decode(0, numbers.size(), numbers.data());
    r.numbers(of_long ? "long_factor" : "short_factor", numbers);
  }
  if (const gguf_value* const v = t.find("rope.scaling.attn_factor"); v != nullptr)
    if (const auto x = v->as_number(); x && *x > 0) r.number("attention_factor", static_cast<float>(*x));
  t.integer("rope.scaling.original_context_length", "original_max_position_embeddings");
  t.out.key("rope_scaling", r.finished());
}

inline void translate_scaling(translator& t) {
  const gguf_value* const type = t.find("rope.scaling.type");
  const auto name = type == nullptr ? result<span<const char>>(span<const char>{}) : type->as_string();
  const std::string_view kind = name ? std::string_view(name->data(), name->size()) : std::string_view("?");
  if (kind.empty() || kind == "none") return;
  config_text r;
  r.string("rope_type", std::string(kind).c_str());
  translator inner = t;
  inner.out = r;
  inner.number("rope.scaling.factor", "factor");
  inner.integer("rope.scaling.original_context_length", "original_max_position_embeddings");
  if (kind == "yarn") {
    inner.number("rope.scaling.yarn_beta_fast", "beta_fast");
    inner.number("rope.scaling.yarn_beta_slow", "beta_slow");
    const gguf_value* const factor = t.find("rope.scaling.factor");
    const gguf_value* const share = t.find("rope.scaling.attn_factor");  // of what the factor alone would give
    if (const auto x = share == nullptr || factor == nullptr ? result<double>(0.0) : share->as_number(); x && *x > 0)
      if (const auto f = factor->as_number(); f && *f >= 1)
        inner.out.number("attention_factor", static_cast<float>(*x * (0.1 * math::log(*f) + 1)));
  }
  t.out.key("rope_scaling", inner.out.finished());
}

/// Windows of every Gemma from the second on: which layers have none, and the angles of those that have one.
inline void translate_windows(translator& t, std::string_view type) {
  const gguf_value* const every = t.find("attention.sliding_window_pattern");
  if (every != nullptr && every->type() != gguf_type::array)
    t.integer("attention.sliding_window_pattern", "sliding_window_pattern");
  if (type == "gemma3_text") t.number("rope.freq_base_swa", "rope_local_base_freq");
}

inline void translate_llama(translator& t, std::string_view type, const gguf_file& file) {
  const std::size_t width = t.integer("embedding_length", "hidden_size", true);
  const std::size_t layers = t.integer("block_count", "num_hidden_layers", true);
  const std::size_t heads = t.integer("attention.head_count", "num_attention_heads", true);
  t.integer("attention.head_count_kv", "num_key_value_heads");
  const std::size_t given = t.integer("attention.key_length", nullptr);
  const std::size_t head = given > 0 ? given : heads > 0 ? width / heads : 0;
  t.out.integer("head_dim", head);
  t.integer("feed_forward_length", "intermediate_size", true);
  t.integer("context_length", "max_position_embeddings", true);
  t.number("attention.layer_norm_rms_epsilon", "rms_norm_eps");
  t.number("rope.freq_base", "rope_theta");
  t.integer("attention.sliding_window", "sliding_window");
  t.number("attn_logit_softcapping", "attn_logit_softcapping");
  t.number("final_logit_softcapping", "final_logit_softcapping");
  if (type == "gemma2" || type == "gemma3_text") translate_windows(t, type);
  if (type == "llama" && file.find("blk.0.attn_output.bias") != nullptr)
    for (const char* key : {"attention_bias", "mlp_bias"}) t.out.flag(key, true);
  const std::size_t rotated = t.integer("rope.dimension_count", nullptr);
  if (type == "phi3" && rotated > 0 && rotated < head)
    t.out.number("partial_rotary_factor", static_cast<double>(rotated) / static_cast<double>(head));
  // GGUF does not say by what Gemma's scores are divided: llama.cpp knows the two models where it is not the head.
  const bool largest = (type == "gemma2" && layers == 46) || (type == "gemma3_text" && layers == 62);
  if (type == "gemma2" || type == "gemma3_text")
    t.out.integer("query_pre_attn_scalar", largest && heads > 0 ? width / heads : head);
  t.integer("expert_count", "num_local_experts");
  t.integer("expert_used_count", "num_experts_per_tok");
  t.integer("expert_feed_forward_length", "moe_intermediate_size");
  if (type == "qwen3_moe") t.out.flag("norm_topk_prob", true);  // as llama.cpp computes
  if (const stored_tensor* const divisors = file.find("rope_freqs.weight"); divisors != nullptr && type == "llama")
    translate_divisors(t, *divisors, head);
  else if (type == "phi3" && file.find(gguf_detail::divisors_name(true)) != nullptr)
    translate_longrope(t, file);
  else
    translate_scaling(t);
}

}  // namespace gguf_config_detail

/// The text of a config.json for the model in a GGUF file. Errors: errc::unsupported, for an architecture that ctlm
/// does not have, or angles that a tensor scales in another way than Llama 3's; errc::wrong_model, if a size is
/// missing.
inline result<std::string> gguf_config_text(const gguf_file& file) {
  return or_out_of_memory("ctlm: there is no memory for a config.json", [&]() -> result<std::string> {
    const gguf_value* const value = file.metadata().find("general.architecture");
    const auto name = value == nullptr ? result<span<const char>>(span<const char>{}) : value->as_string();
    const std::string architecture = name ? std::string(name->data(), name->size()) : std::string();
    const char* type = gguf_config_detail::model_type(architecture);
    if (type == nullptr)
      return failure{errc::unsupported,
                     "ctlm: GGUF files of the architecture \"{name}\" are not supported",
                     0,
                     0,
                     0,
                     remember(std::string_view(architecture))};
    if (file.find("rope_freqs.weight") != nullptr && std::string_view(type) != "llama")
      return failure{
          errc::unsupported,
          "ctlm: this GGUF file scales its rotary angles by a tensor (rope_freqs.weight): write its config by "
          "hand, with scaling"};
    gguf_config_detail::translator t(file, architecture);
    if (architecture == "llama" && t.integer("expert_count", nullptr) > 0) type = "mixtral";
    t.out.string("model_type", type);
    const stored_tensor* const embedding = file.find("token_embd.weight");
    if (embedding == nullptr || embedding->rank != 2)
      return failure{errc::wrong_model, "ctlm: this GGUF file has no matrix token_embd.weight"};
    t.out.integer("vocab_size", embedding->dimensions[0]);
    t.out.flag("tie_word_embeddings", file.find("output.weight") == nullptr);
    if (std::string_view(type) == "gpt2")
      gguf_config_detail::translate_gpt2(t);
    else
      gguf_config_detail::translate_llama(t, type, file);
    if (t.problem.code != errc::ok) return t.problem;
    return t.out.finished();
  });
}

}}  // namespace ctlm
