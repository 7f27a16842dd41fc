// hf::config: any text is read as the config of a model, or refused with a key and a value that can be shown; at run
// time as the compiler would, and the same text always in the same way. The first two bytes are the context.
#include "fuzz.hpp"

#include <cmath>

using namespace ctlm;

namespace {

/// Ends before the end of its letters, and is one line.
void require_text(const hf::text<48>& t, const char* what) {
  fuzz::require(t.size() < sizeof t.letters, what);
  for (std::size_t i = 0; i < t.size(); ++i) fuzz::require(static_cast<unsigned char>(t.letters[i]) >= 32, what);
}

bool same(const hf::any_config& a, const hf::any_config& b) {
  bool equal = a.activation == b.activation && a.problem.what == b.problem.what &&
               std::memcmp(a.problem.key.letters, b.problem.key.letters, sizeof a.problem.key.letters) == 0 &&
               std::memcmp(a.problem.value.letters, b.problem.value.letters, sizeof a.problem.value.letters) == 0;
  decoder_shape::for_each_field(
      [&](const char*, auto field) { equal = equal && a.decoder.*field == b.decoder.*field; });
  return equal;
}

template <class T>
void require_number(T x) {
  if constexpr (std::is_floating_point_v<T>) fuzz::require(std::isfinite(x), "numbers of a config are finite");
}

void require_computable(const decoder_shape& s) {
  decoder_shape::for_each_field([&](const char*, auto field) { require_number(s.*field); });
  fuzz::require(s.rotated() <= s.head_dim, "no more of a head rotates than it has");
  for (const std::size_t layer : {std::size_t{0}, std::size_t{5}, ~std::size_t{0} - 1}) {
    fuzz::require(s.window_of(layer) <= s.context, "a window is in the context");
    fuzz::require(!s.is_local(layer) || s.window > 0, "layers with angles of their own have a window");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::size_t context = in.number<std::uint16_t>();
  const std::string text = in.rest();
  const hf::any_config c = hf::config(text.c_str(), context);
  fuzz::require(same(c, hf::config(text.c_str(), context)), "a text is read in one way");
  require_text(c.problem.key, "a key is a line of text");
  require_text(c.problem.value, "a value is a line of text");
  if (c.problem.what == hf::problem::none) {
    require_computable(c.decoder);
    require_computable(c.shape(true));
    fuzz::require(context == 0 || c.decoder.context == context, "the context is what was asked for");
  } else {
    fuzz::require(c.problem.key.size() > 0, "a problem has a key");
  }
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  const std::string sizes =
      R"("vocab_size":64,"hidden_size":32,"num_hidden_layers":6,"num_attention_heads":4,"num_key_value_heads":2,
         "head_dim":16,"intermediate_size":48,"max_position_embeddings":128,"rms_norm_eps":1e-05)";
  auto config = [&](const std::string& type, const std::string& more) {
    keep(std::string(2, '\0') + "{\"model_type\":\"" + type + "\"," + sizes + (more.empty() ? "" : ",") + more + "}");
  };
  config("llama", R"("rope_theta":1e5,"tie_word_embeddings":true,"attention_bias":false,"mlp_bias":false)");
  config("llama", R"("rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,
    "original_max_position_embeddings":32})");
  config("qwen2", R"("rope_parameters":{"rope_type":"yarn","factor":4.0,"beta_fast":32,"beta_slow":1,"mscale":1,
    "mscale_all_dim":1,"truncate":true},"use_sliding_window":false)");
  config("qwen3", R"("rope_scaling":{"type":"dynamic","factor":2},"layer_types":["full_attention"])");
  config("mistral", R"("sliding_window":null,"layer_types":["full_attention","full_attention"])");
  config("smollm3", R"("no_rope_layer_interval":4,"no_rope_layers":[1,1,1,0,1,1])");
  config("phi3", R"("partial_rotary_factor":0.75,"sliding_window":8)");
  config("gemma", R"("hidden_act":"gelu","head_dim":null)");
  config("gemma2", R"("attn_logit_softcapping":50,"final_logit_softcapping":30,"query_pre_attn_scalar":24)");
  config("gemma3_text", R"("sliding_window_pattern":6,"rope_local_base_freq":1e4,"rope_parameters":{
    "full_attention":{"rope_type":"linear","factor":8,"rope_theta":1e6},"sliding_attention":{"rope_theta":1e4}})");
  keep(std::string("\x80\0", 2) +
       R"({"model_type":"gpt2","vocab_size":64,"n_embd":32,"n_layer":2,"n_head":4,"n_inner":null,
    "n_positions":128,"layer_norm_epsilon":1e-5,"activation_function":"gelu_new","scale_attn_weights":true})");
  keep(std::string(2, '\0') + R"({"model_type" "llama"})");
}
