// config.json of Hugging Face: what changes results and is not supported is refused by name, and what is missing or
// null means what it means to transformers.
#include "rope_golden.hpp"

#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <string_view>

using namespace ctlm;

namespace {

/// The config of a small model of this family: `more` is added to it.
struct small {
  char text[1024]{};
  std::size_t length = 0;

  constexpr small(const char* model_type, const char* more) {
    add("{\"model_type\": \"");
    add(model_type);
    add("\", \"vocab_size\": 64, ");
    const bool gpt2 = std::string_view(model_type) == "gpt2";
    add(gpt2 ? "\"n_embd\": 32, \"n_layer\": 2, \"n_head\": 4, \"n_positions\": 128"
             : "\"hidden_size\": 32, \"num_hidden_layers\": 6, \"num_attention_heads\": 4, \"head_dim\": 16, "
               "\"intermediate_size\": 48, \"max_position_embeddings\": 128");
    add(*more == '\0' ? "" : ", ");
    add(more);
    add("}");
  }
  constexpr void add(const char* more) {
    while (*more != '\0') text[length++] = *more++;
  }
};

constexpr hf::any_config of(const char* model_type, const char* more = "") {
  return hf::config(small(model_type, more).text);
}
constexpr decoder_shape shape(const char* model_type, const char* more = "") { return of(model_type, more).decoder; }
/// Whether a config with this key is refused, and the refusal names the key and its value, to the last letter.
constexpr bool refuses(const char* model_type, const char* more, std::string_view key, std::string_view value) {
  const hf::problem p = of(model_type, more).problem;
  return p.what == hf::problem::unsupported && key == p.key.letters && value == p.value.letters;
}
constexpr bool reads(const char* model_type) { return of(model_type).problem.what == hf::problem::none; }

static_assert(reads("gpt2") && reads("llama") && reads("mistral") && reads("qwen2") && reads("qwen3"));
static_assert(reads("mixtral") && reads("qwen3_moe"));
static_assert(reads("smollm3") && reads("phi3") && reads("gemma") && reads("gemma2") && reads("gemma3_text"));

static_assert(refuses("gpt2", R"("scale_attn_by_inverse_layer_idx": true)", "scale_attn_by_inverse_layer_idx", "true"));
static_assert(refuses("gpt2", R"("activation_function": "quick_gelu")", "activation_function", "\"quick_gelu\""));
static_assert(refuses("llama", R"("pretraining_tp": 2)", "pretraining_tp", "2"));
static_assert(refuses("llama", R"("mlp_bias": true)", "mlp_bias", "true"));
static_assert(refuses("llama", R"("rope_scaling": {"rope_type": "su", "factor": 2})", "rope_type", "\"su\""));
static_assert(refuses("llama", R"("quantization_config": {"bits": 4})", "quantization_config", R"({"bits": 4})"));
static_assert(refuses("mistral", R"("hidden_act": "relu")", "hidden_act", "\"relu\""));
static_assert(refuses("qwen2", R"("use_sliding_window": true)", "use_sliding_window", "true"));
static_assert(refuses("qwen3", R"("attention_bias": true)", "attention_bias", "true"));
static_assert(refuses("smollm3", R"("no_rope_layers": [1, 1, 0, 1, 1, 1])", "no_rope_layers", "0"));
static_assert(refuses("smollm3", R"("layer_types": ["sliding_attention"])", "layer_types", "\"sliding_attention\""));
static_assert(refuses("phi3", R"("rope_scaling": {"type": "dynamic", "factor": 2})", "rope_type", "\"dynamic\""));
static_assert(refuses("gemma", R"("use_bidirectional_attention": true)", "use_bidirectional_attention", "true"));
static_assert(refuses("gemma2", R"("layer_types": ["full_attention", "sliding_attention"])", "layer_types",
                      "\"sliding_attention\""));
static_assert(refuses("gemma3_text",
                      R"("rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2}})",
                      "sliding_attention", R"({"rope_type": "linear", "factor": 2})"));
static_assert(refuses("qwen3_moe", R"("decoder_sparse_step": 2)", "decoder_sparse_step", "2"));
static_assert(refuses("qwen3_moe", R"("mlp_only_layers": [0, 3])", "mlp_only_layers", "[0, 3]"));
static_assert(refuses("qwen3_moe", R"("attention_bias": true)", "attention_bias", "true"));
static_assert(refuses("mixtral", R"("hidden_act": "relu")", "hidden_act", "\"relu\""));
static_assert(refuses("mamba", "", "model_type", "\"mamba\""));

// A value is shown as it is written: neither less, where it holds commas and brackets, nor what stands behind it. It is
// one line of at most 47 bytes, and no letter of it is cut in two.
static_assert(refuses("llama", R"("hidden_act": "a, b} [c]")", "hidden_act", R"("a, b} [c]")"));
static_assert(refuses("llama", R"("pretraining_tp":2 )", "pretraining_tp", "2"));
static_assert(refuses("llama", R"("rope_scaling": {"factor": 2, "rope_type": "x"}, "a": 1)", "rope_type", R"("x")"));
static_assert(refuses("llama", R"("quantization_config": [4, {"bits": [4]}] )", "quantization_config",
                      R"([4, {"bits": [4]}])"));
static_assert(refuses("llama", "\"quantization_config\": {\n  \"bits\":\t4\r\n}", "quantization_config",
                      R"({   "bits": 4  })"));
static_assert(refuses("llama", R"("hidden_act": "of forty-seven bytes with both of its quotes.")", "hidden_act",
                      R"("of forty-seven bytes with both of its quotes.")"));
static_assert(refuses("llama", R"("hidden_act": "of forty-eight bytes with both of its quotes..")", "hidden_act",
                      R"("of forty-eight bytes with both of its quote...)"));
static_assert(refuses("llama", "\"hidden_act\": \"the forty-fourth byte is within a letter: 1\xC3\xA9, 23456\"",
                      "hidden_act", "\"the forty-fourth byte is within a letter: 1..."));

// Numbers that cannot be computed with.
static_assert(refuses("llama", R"("rms_norm_eps": 1e300)", "rms_norm_eps", "1e300"));
static_assert(refuses("llama", R"("rms_norm_eps": 1e400)", "rms_norm_eps", "1e400"));
static_assert(refuses("gemma2", R"("final_logit_softcapping": -4e38)", "final_logit_softcapping", "-4e38"));
static_assert(refuses("phi3", R"("partial_rotary_factor": -1)", "partial_rotary_factor",
                      "must be above 0 and at most 1"));

// A missing key, and null, of windows, caps and heads of keys and values.
static_assert(shape("mistral").window == 4096 && shape("mistral", R"("sliding_window": null)").window == 0);
static_assert(shape("mistral").kv_heads == 8 && shape("mistral", R"("num_key_value_heads": null)").kv_heads == 4);
static_assert(shape("phi3").window == 0 && shape("phi3").kv_heads == 4);
static_assert(shape("gemma2").window == 4096 && shape("gemma2").attention_cap == 50 && shape("gemma2").logit_cap == 30);
static_assert(shape("gemma2", R"("attn_logit_softcapping": null)").attention_cap == 0);
static_assert(shape("gemma2", R"("final_logit_softcapping": null)").logit_cap == 0);
static_assert(shape("gemma2").full_every == 2 && shape("gemma2").kv_heads == 4);
static_assert(shape("gemma3_text").logit_cap == 0 && shape("gemma3_text").full_every == 6);
static_assert(shape("gemma3_text").rope_theta == 1000000 && shape("gemma3_text").local_theta == 10000);

// Experts: under both names of their number, and where keys are missing.
static_assert(shape("mixtral").experts == 8 && shape("mixtral").experts_per_token == 2);
static_assert(shape("mixtral").d_ff == 48 && shape("mixtral").normalised_experts && shape("mixtral").window == 0);
static_assert(shape("mixtral", R"("num_local_experts": 3, "num_experts_per_tok": 1)").experts == 3);
static_assert(shape("qwen3_moe").experts == 128 && shape("qwen3_moe").experts_per_token == 8);
static_assert(shape("qwen3_moe").d_ff == 768 && !shape("qwen3_moe").normalised_experts && shape("qwen3_moe").qk_norm);
static_assert(shape("qwen3_moe", R"("num_experts": 16, "norm_topk_prob": true)").experts == 16);
static_assert(shape("qwen3_moe", R"("num_local_experts": 16, "mlp_only_layers": [])").experts == 16);
static_assert(shape("qwen3_moe", R"("norm_topk_prob": true)").normalised_experts);
static_assert(shape("mistral").experts == 0);

// Activations of Gemma: the first has the key hidden_act, where "gelu" means the approximation; the others have not.
static_assert(of("gemma", R"("hidden_act": "gelu")").activation == activation_kind::geglu_tanh);
static_assert(of("gemma", R"("hidden_act": "silu")").activation == activation_kind::swiglu);
static_assert(of("gemma2", R"("hidden_act": "silu")").activation == activation_kind::geglu_tanh);
static_assert(of("gemma2", R"("hidden_activation": "gelu")").activation == activation_kind::geglu);

// Rotary angles: by the keys of earlier versions, and of transformers 5.
static_assert(shape("llama", R"("rope_theta": 5)").rope_theta == 5);
static_assert(shape("llama", R"("rope_theta": 5, "rope_scaling": {"type": "linear", "factor": 2})").rope_theta == 5);
static_assert(shape("llama", R"("rope_theta": 5, "rope_parameters": {"rope_type": "default"})").rope_theta == 5);
static_assert(
    shape("llama", R"("rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 5})").rope_theta == 5);
static_assert(shape("gemma3_text", R"("rope_theta": 5, "rope_local_base_freq": 6)").rope_theta == 5);
static_assert(shape("gemma3_text", R"("rope_theta": 5, "rope_local_base_freq": 6)").local_theta == 6);
static_assert(of("llama", R"("rope_scaling": {"type": "linear"})").problem.what == hf::problem::missing);

// What transformers mixes, passes over or does not read is refused.
constexpr auto both_kinds = R"("rope_scaling": {"rope_type": "linear", "factor": 2},
  "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 4}})";
static_assert(refuses("gemma3_text", both_kinds, "rope_scaling", R"({"rope_type": "linear", "factor": 2})"));
static_assert(refuses("gemma3_text", R"("rope_scaling": {"type": "linear", "factor": 2})", "rope_scaling",
                      R"({"type": "linear", "factor": 2})"));
static_assert(refuses("gemma3_text", R"("rope_parameters": {"rope_theta": 5})", "rope_parameters",
                      R"({"rope_theta": 5})"));
static_assert(refuses("gemma3_text", R"("rope_parameters": {"full_attention": 5})", "full_attention", "5"));
static_assert(refuses("llama", R"("rope_parameters": {"full_attention": {"rope_theta": 5}})", "rope_parameters",
                      R"({"full_attention": {"rope_theta": 5}})"));
static_assert(refuses("llama", R"("rope_scaling": "linear")", "rope_scaling", R"("linear")"));
static_assert(refuses("phi3", R"("rope_scaling": {"type": "linear", "factor": 2})", "rope_type", R"("linear")"));

// LongRoPE: the context decides which list counts; the lists have a number for each pair.
constexpr const char* long_rope = R"("original_max_position_embeddings": 32, "rope_scaling": {"type": "su",
  "short_factor": [1, 1, 1, 1, 1, 1, 1, 1.5], "long_factor": [1, 1, 2, 3, 4, 5, 6, 7.5]})";
constexpr hf::any_config long_config(std::size_t context, const char* more = long_rope) {
  return hf::config(small("phi3", more).text, context);
}
static_assert(long_config(0).problem.what == hf::problem::none);
static_assert(long_config(0).decoder.rope_scaling == rope_kind::longrope && long_config(0).divisors.count == 8);
static_assert(long_config(0).decoder.rope_factor == 4 && long_config(0).decoder.rope_context == 32);
static_assert(long_config(0).divisors.values[7] == 7.5f && long_config(33).divisors.values[7] == 7.5f);
static_assert(long_config(32).divisors.values[7] == 1.5f);
static_assert(long_config(32).decoder.rope_divisors != long_config(33).decoder.rope_divisors);
static_assert(of("llama", R"("rope_scaling": {"rope_type": "longrope", "factor": 2})").problem.what ==
              hf::problem::missing);
static_assert(refuses("llama", R"("rope_scaling": {"rope_type": "longrope", "short_factor": [1, 2],
                      "long_factor": [1, 2]})",
                      "short_factor", "must be half as many numbers as rotate"));
static_assert(refuses("llama", R"("rope_scaling": {"rope_type": "longrope", "short_factor": [1, 1, 1, 1, 1, 1, 1, 0],
                      "long_factor": [1, 1, 1, 1, 1, 1, 1, 2]})",
                      "short_factor", "0"));

// Dynamic scaling begins behind max_position_embeddings, whatever else a file says; of the other kinds,
// original_max_position_embeddings counts.
constexpr decoder_shape scaled(const char* more) { return shape("llama", more); }
static_assert(scaled(R"("rope_scaling": {"type": "dynamic", "factor": 2, "original_max_position_embeddings": 9})")
                  .rope_context == 128);
static_assert(scaled(R"("rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 32})")
                  .rope_context == 32);
static_assert(scaled(R"("rope_scaling": {"type": "yarn", "factor": null, "original_max_position_embeddings": 32})")
                  .rope_factor == 4);
static_assert(scaled(R"("rope_scaling": {"type": "yarn", "factor": 2, "attention_factor": 3, "mscale": 1,
                        "mscale_all_dim": 2})")
                  .rope_attention == 3);

}  // namespace

TEST_CASE("config.json: what is missing, and what is no JSON", "[io]") {
  const hf::problem broken = hf::config(R"({"model_type" "llama"})").problem;
  CHECK(broken.what == hf::problem::no_json);
  CHECK(std::string_view(broken.key.letters) == "config.json, byte");
  CHECK(std::string_view(broken.value.letters) == "14");
  const hf::problem nameless = hf::config("{}").problem;
  CHECK(nameless.what == hf::problem::missing);
  CHECK(std::string_view(nameless.key.letters) == "model_type");
  const hf::problem small_one = hf::config(R"({"model_type": "llama", "vocab_size": 64})").problem;
  CHECK(small_one.what == hf::problem::missing);
  CHECK(std::string_view(small_one.key.letters) == "hidden_size");
  const hf::problem wrong = hf::config(R"({"model_type": "gpt2", "vocab_size": "many"})").problem;
  CHECK(wrong.what == hf::problem::unsupported);
  CHECK(std::string_view(wrong.value.letters) == "\"many\"");
}

TEST_CASE("config.json: learned positions cannot be more than the model has", "[io]") {
  CHECK(hf::config(small("gpt2", "").text, 64).problem.what == hf::problem::unsupported);
  CHECK(hf::config(small("gpt2", "").text, 128).problem.what == hf::problem::none);
  const hf::any_config longer = hf::config(small("llama", "").text, 4096);
  CHECK(longer.problem.what == hf::problem::none);
  CHECK(longer.decoder.context == 4096);
}

TEST_CASE("config.json: what is said twice turns queries and keys as in transformers", "[io]") {
  for (const auto& expected : rope_golden::all) {
    INFO(expected.model_type << " " << expected.more);
    const hf::any_config c = of(expected.model_type, expected.more);
    REQUIRE(c.problem.what == hf::problem::none);
    const decoder_shape& s = c.decoder;
    REQUIRE(s.rotated() <= 16);
    for (std::size_t i = 0; i < 8; ++i) {
      INFO("pair " << i);
      const bool rotates = i < s.rotated() / 2;
      const double plain = rotates ? rope_frequency(s.rotated(), i, s.rope_theta) : 0;
      const double full = rotates ? rotary_detail::scaled_frequency(s, i, plain) : 0;
      const double local = rotates && s.local_theta > 0 ? rope_frequency(s.rotated(), i, s.local_theta) : full;
      CHECK(std::fabs(full - expected.frequencies[i]) <= 1e-6 * expected.frequencies[i]);
      CHECK(std::fabs(local - expected.local[i]) <= 1e-6 * expected.local[i]);
    }
  }
}
