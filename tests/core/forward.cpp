// fwd.hpp alone is enough to declare functions of models, configs and files; what it declares is what ctlm.hpp defines.
#include <ctlm/fwd.hpp>

namespace before {

struct my_model;
using lm = ctlm::causal_lm<my_model>;

void use_models(ctlm::loaded_model<lm>&, const ctlm::hf::any_config&, const ctlm::rope_scaling&, ctlm::rope_kind);
void use_files(const ctlm::safetensors_file&, const ctlm::gguf_file&, const ctlm::gguf_view&,
               const ctlm::stored_tensor&, const ctlm::number_encoding&, ctlm::tensor_report&,
               const ctlm::json::value&);
void use_writers(ctlm::safetensors_writer&, ctlm::gguf_writer&, const ctlm::tensor_to_save&, ctlm::safetensors_type,
                 ctlm::gguf_encoding);
void use_kinds(ctlm::norm_kind, ctlm::position_kind, ctlm::activation_kind, const ctlm::conversion&,
               const ctlm::deviations&);
template <class... T>
struct list;
using configs =
    list<ctlm::gpt2_config, ctlm::llama_config, ctlm::mistral_config, ctlm::qwen2_config, ctlm::qwen3_config,
         ctlm::smollm3_config, ctlm::phi3_config, ctlm::gemma_config, ctlm::gemma2_config, ctlm::gemma3_config>;
using policies = list<ctlm::f8_e4m3, ctlm::f8_e5m2, ctlm::layer_norm, ctlm::rms_norm, ctlm::vocabulary_head,
                      ctlm::cross_entropy_loss>;
template <class Thread>
void on(ctlm::pool<4, Thread>&);

}  // namespace before

#include "catch.hpp"

#include <ctlm/ctlm.hpp>

namespace before {

struct my_model {
  static constexpr ctlm::llama_config config{
      .vocab = 11, .d_model = 8, .layers = 1, .heads = 2, .d_ff = 12, .context = 6};
};
template <class... T>
struct list {
  static constexpr std::size_t bytes = (sizeof(T) + ...);  // of complete types alone
};
template <class Function, class... Arguments>
constexpr bool takes = std::is_invocable_v<Function*, Arguments...>;

}  // namespace before

TEST_CASE("what fwd.hpp declares is what ctlm.hpp defines", "[core]") {
  using namespace before;
  using namespace ctlm;
  CHECK(configs::bytes > 0);
  CHECK(policies::bytes > 0);
  CHECK(takes<decltype(use_models), loaded_model<lm>&, hf::any_config&, rope_scaling&, rope_kind>);
  CHECK(takes<decltype(use_files), safetensors_file&, gguf_file&, gguf_view&, stored_tensor&, number_encoding&,
              tensor_report&, json::value&>);
  CHECK(takes<decltype(use_writers), safetensors_writer&, gguf_writer&, tensor_to_save&, safetensors_type,
              gguf_encoding>);
  CHECK(takes<decltype(use_kinds), norm_kind, position_kind, activation_kind, conversion&, deviations&>);
  CHECK(takes<decltype(on<std::thread>), pool<4>&>);
}
