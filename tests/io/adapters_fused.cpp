// Adapters of GPT-2 and Phi-3, whose queries, keys and values are one projection, as PEFT computes, writes and reads
// them (make_peft.py).
#include "catch.hpp"
#include "paths.hpp"
#include "scratch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>
#include <ctlm/train/adapters.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

struct small_gpt2 {
  static constexpr const char* folder = "base_gpt2";
  static constexpr gpt2_config config{.vocab = 61, .d_model = 16, .layers = 2, .heads = 4, .context = 16, .d_ff = 40};
};
struct small_phi3 {
  static constexpr const char* folder = "base_phi3";
  static constexpr phi3_config config{.vocab = 61,
                                      .d_model = 16,
                                      .layers = 2,
                                      .heads = 4,
                                      .kv_heads = 2,
                                      .d_ff = 24,
                                      .context = 16,
                                      .tie_embeddings = true};
};
struct whole {
  static constexpr lora_config config{.alpha = 6};
};
struct decomposed {
  static constexpr lora_config config{.alpha = 4, .weight_decomposed = true};
};
template <class Tag, class Adapter>
struct case_of {
  using lm = causal_lm<Tag>;
  using adapter = Adapter;
  static std::string folder(const std::string& name) { return std::string(paths::source) + "/tests/io/peft/" + name; }
};
struct gpt2_lora : case_of<small_gpt2, lora<3, tensors::projections, whole>> {
  static constexpr const char* name = "gpt2";
};
struct gpt2_dora : case_of<small_gpt2, lora<2, tensors::any<tensors::qkv, tensors::down>, decomposed>> {
  static constexpr const char* name = "gpt2_dora";
};
struct phi3_lora : case_of<small_phi3, lora<3, tensors::projections, whole>> {
  static constexpr const char* name = "phi3";
};
struct phi3_dora : case_of<small_phi3, lora<2, tensors::any<tensors::qkv, tensors::up>, decomposed>> {
  static constexpr const char* name = "phi3_dora";
};
struct recipe {
  static constexpr train_config config{.batch = 2};
};

std::vector<float> numbers(const std::string& path, const char* name) {
  const auto f = safetensors_file::open(path.c_str()).value();
  const stored_tensor* t = f.find(name);
  REQUIRE(t != nullptr);
  std::vector<float> all(t->count());
  t->decode(0, all.size(), all.data());
  return all;
}
/// Names and shapes of the tensors of an adapter, sorted.
std::vector<std::string> names_of(const std::string& adapter) {
  const auto f = safetensors_file::open((adapter + "/adapter_model.safetensors").c_str()).value();
  std::vector<std::string> all;
  for (const stored_tensor& t : f.tensors()) {
    all.emplace_back(t.name.begin(), t.name.end());
    for (std::size_t i = 0; i < t.rank; ++i) all.back() += " " + std::to_string(t.dimensions[i]);
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// Tokens of step `step`, and what follows each.
std::vector<token> tokens_of(const std::string& ids, std::size_t step, std::size_t shift) {
  std::vector<token> all;
  const std::vector<float> stored = numbers(ids, "ids");
  for (std::size_t r = 0; r < 2; ++r)
    for (std::size_t i = 0; i < 16; ++i) all.push_back(static_cast<token>(stored[(step % 5 * 2 + r) * 17 + i + shift]));
  return all;
}

/// The largest difference of the logits of the first sequence from those that are stored.
template <class Case, class Weights>
double worst_logit(const Weights& w) {
  using lm = typename Case::lm;
  const auto expected = numbers(Case::folder(Case::name) + "/golden.safetensors", "logits");
  const auto ids = tokens_of(Case::folder("base/ids.safetensors"), 0, 0);
  heap_arena memory(lm::session_bytes);
  typename lm::session s(w, memory);
  double worst = 0;
  s.score(span<const token>(ids).first(16), [&](std::size_t i, span<float> logits) {
    for (std::size_t v = 0; v < logits.size(); ++v)
      worst = worse(worst, std::fabs(logits[v] - static_cast<double>(expected[i * 61 + v])));
  });
  return worst;
}
template <class Case>
double worst_merged(const typename Case::lm::weights& base, const std::string& folder) {
  const auto a = load_adapter<typename Case::lm>(folder.c_str());
  INFO((a ? "" : explain(a.error()).text));
  REQUIRE(a);
  a->get().prepare(base);
  heap_arena memory(Case::lm::weight_bytes);
  typename Case::lm::weights merged(memory);
  merge_adapter(weights_with_adapter{base, a->get()}, merged);
  return worst_logit<Case>(merged);
}

}  // namespace

TEMPLATE_TEST_CASE("adapters of fused projections have PEFT's losses, names and logits", "[io][adapters]", gpt2_lora,
                   gpt2_dora, phi3_lora, phi3_dora) {
  using lm = typename TestType::lm;
  using T = trainer<lm, recipe, train_only<typename TestType::adapter>>;
  const std::string folder = TestType::folder(TestType::name);
  heap_arena weight_memory(lm::weight_bytes), memory(T::train_bytes);
  typename lm::weights base(weight_memory);
  load_safetensors<lm>(TestType::folder(lm::tag::folder).c_str(), base).value();
  CHECK(worst_logit<TestType>(base) > 0.05);  // the base alone has other logits
  CHECK(worst_merged<TestType>(base, folder + "/last") < 1e-4);

  typename T::options options;
  options.optimizer = {.lr = 2e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0};
  options.clip_norm = 0;
  T t(base, memory, options);
  const auto first = load_adapter((folder + "/first").c_str(), t);
  INFO((first ? "" : explain(first.error()).text));
  REQUIRE(first);
  const auto losses = numbers(folder + "/golden.safetensors", "losses");
  const std::string ids = TestType::folder("base/ids.safetensors");
  double worst = 0;
  for (std::size_t s = 0; s < losses.size(); ++s)
    worst = worse(worst,
                  std::fabs(t.step(tokens_of(ids, s, 0), tokens_of(ids, s, 1)).loss - static_cast<double>(losses[s])));
  CHECK(losses.size() == 100);
  CHECK(worst < 1e-4);

  const scratch_folder scratch;
  const std::string saved = scratch / "adapter";
  REQUIRE(save_adapter<lm>(saved.c_str(), t.adapted()));
  CHECK(names_of(saved) == names_of(folder + "/last"));
  CHECK(worst_merged<TestType>(base, saved) < 2e-3);
}
