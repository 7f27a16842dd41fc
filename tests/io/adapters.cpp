// Adapters as PEFT computes, writes and reads them (make_peft.py): 100 steps from the same numbers, files in both
// directions, and what is wrong with files in words.
#include "catch.hpp"
#include "paths.hpp"
#include "scratch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>
#include <ctlm/model/adapted_session.hpp>
#include <ctlm/train/adapters.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

using namespace ctlm;

namespace {

struct base_tag {
  static constexpr llama_config config{.vocab = 61,
                                       .d_model = 24,
                                       .layers = 2,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .d_ff = 40,
                                       .context = 16,
                                       .tie_embeddings = true,
                                       .norm_eps = 1e-6f};
};
using lm = causal_lm<base_tag>;
struct recipe {
  static constexpr train_config config{.batch = 2};
};

#if !CTLM_FEW_KINDS  // others go all their ways, and they are long to compile
struct alpha8 {
  static constexpr lora_config config{.alpha = 8};
};
struct stabilised3 {
  static constexpr lora_config config{.alpha = 3, .rank_stabilised = true};
};
#endif
struct decomposed4 {
  static constexpr lora_config config{.alpha = 4, .weight_decomposed = true};
};
struct alpha6 {
  static constexpr lora_config config{.alpha = 6};
};

using q_and_v = tensors::any<tensors::queries, tensors::values>;
#if !CTLM_FEW_KINDS  // others go all their ways, and they are long to compile
struct lora_case {
  static constexpr const char* name = "lora";
  using adapter = lora<4, tensors::projections, alpha8>;
};
struct rslora_case {
  static constexpr const char* name = "rslora";
  using adapter = lora<4, q_and_v, stabilised3>;
};
#endif
struct dora_case {
  static constexpr const char* name = "dora";
  using adapter = lora<2, tensors::any<q_and_v, tensors::out, tensors::down>, decomposed4>;
};
struct layers_case {
  static constexpr const char* name = "layers";
  using adapter = lora<3, tensors::both<tensors::any<tensors::out, tensors::up>, tensors::layers<1>>, alpha6>;
};

std::string folder_of(const std::string& name) { return std::string(paths::source) + "/tests/io/peft/" + name; }

std::vector<float> numbers(const std::string& file, const char* name) {
  const auto f = safetensors_file::open(folder_of(file).c_str()).value();
  const stored_tensor* t = f.find(name);
  REQUIRE(t != nullptr);
  std::vector<float> all(t->count());
  t->decode(0, all.size(), all.data());
  return all;
}

struct base_model {
  heap_arena memory{lm::weight_bytes};
  lm::weights weights{memory};
  base_model() { load_safetensors<lm>(folder_of("base").c_str(), weights).value(); }
};

/// The batches, [5][2][17], as inputs and targets.
struct batch {
  std::vector<token> inputs, targets;
  explicit batch(std::size_t step) {
    const std::vector<float> ids = numbers("base/ids.safetensors", "ids");
    for (std::size_t r = 0; r < 2; ++r)
      for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t at = (step % 5 * 2 + r) * 17 + i;
        inputs.push_back(static_cast<token>(ids[at]));
        targets.push_back(static_cast<token>(ids[at + 1]));
      }
  }
};

/// The largest difference of the logits of the first sequence from those that are stored.
template <class Weights>
double worst_logit(const Weights& w, const std::vector<float>& expected) {
  heap_arena memory(lm::session_bytes);
  lm::session s(w, memory);
  const batch first(0);
  double worst = 0;
  s.score(span<const token>(first.inputs).first(16), [&](std::size_t i, span<float> logits) {
    for (std::size_t v = 0; v < logits.size(); ++v)
      worst = worse(worst, std::fabs(logits[v] - static_cast<double>(expected[i * 61 + v])));
  });
  return worst;
}

template <class M, class Adapter>
double worst_merged(const base_model& base, const Adapter& a, const std::string& name) {
  heap_arena memory(M::weight_bytes);
  typename M::weights merged(memory);
  merge_adapter(weights_with_adapter{base.weights, a}, merged);
  return worst_logit(merged, numbers(name + "/golden.safetensors", "logits"));
}

/// Names and sizes of the tensors of a folder's model.
std::vector<std::string> files_tensors(const std::string& folder) {
  const auto file = safetensors_file::open((folder + "/model.safetensors").c_str()).value();
  std::vector<std::string> all;
  for (const stored_tensor& t : file.tensors()) {
    all.emplace_back(t.name.begin(), t.name.end());
    for (std::size_t i = 0; i < t.rank; ++i) all.back() += " " + std::to_string(t.dimensions[i]);
  }
  std::sort(all.begin(), all.end());
  return all;
}

template <class Case>
using trainer_of = trainer<lm, recipe, train_only<typename Case::adapter>>;
constexpr auto settings = [](auto options) {
  options.optimizer = {.lr = 2e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0};
  options.clip_norm = 0;
  return options;
};

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using trained_cases = std::tuple<dora_case, layers_case>;
#else
using trained_cases = std::tuple<lora_case, rslora_case, dora_case, layers_case>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("100 steps have the losses and end in the adapter of PEFT", "[io][adapters]", trained_cases) {
  using T = trainer_of<TestType>;
  const std::string name = TestType::name;
  base_model base;
  heap_arena memory(T::train_bytes);
  T t(base.weights, memory, settings(typename T::options{}));
  const auto first = load_adapter((folder_of(name) + "/first").c_str(), t);
  INFO(name << (first ? "" : explain(first.error()).text));
  REQUIRE(first);
  const std::vector<float> losses = numbers(name + "/golden.safetensors", "losses");
  REQUIRE(losses.size() == 100);
  double worst = 0;
  for (std::size_t s = 0; s < losses.size(); ++s) {
    const batch b(s);
    worst = worse(worst, std::fabs(t.step(b.inputs, b.targets).loss - static_cast<double>(losses[s])));
  }
  CHECK(worst < 1e-4);

  const auto last = load_adapter<lm>((folder_of(name) + "/last").c_str()).value();
  double apart = 0;
  for (const tensor_id id : adaptable_tensors)
    for (std::size_t l = 0; l < 2; ++l) {
      const auto mine = t.adapted().place_of(id, l);
      if (mine.a == nullptr) continue;
      const auto theirs = last.get().place_of(id, l);
      const std::size_t n = mine.parts->all_rows() * last.get().layout().rank;
      for (std::size_t i = 0; i < n; ++i)
        apart = worse(apart, std::fabs(static_cast<double>(mine.b[i]) - static_cast<double>(theirs.b[i])));
    }
  CHECK(apart < 1e-3);

  // Written, and read again: the same numbers.
  const scratch_folder folder;
  const std::string saved = folder / "adapter";
  REQUIRE(save_adapter<lm>(saved.c_str(), t.adapted()));
  const auto again = load_adapter<lm>(saved.c_str());
  INFO((again ? "" : explain(again.error()).text));
  REQUIRE(again);
  again->get().prepare(base.weights);
  CHECK(worst_merged<lm>(base, again->get(), name) < 2e-3);
  heap_arena merged_memory(lm::weight_bytes);
  lm::weights merged(merged_memory);
  (void)t.evaluate(batch(0).inputs, batch(0).targets);
  merge_adapter(t.adapted(), merged);
  CHECK(worst_logit(merged, numbers(name + "/golden.safetensors", "logits")) < 2e-3);
}

TEMPLATE_LIST_TEST_CASE("an adapter of PEFT, merged, has PEFT's logits", "[io][adapters]", trained_cases) {
  const base_model base;
  const auto a = load_adapter<lm>((folder_of(TestType::name) + "/last").c_str()).value();
  a.get().prepare(base.weights);
  const std::vector<float> expected = numbers(std::string(TestType::name) + "/golden.safetensors", "logits");
  CHECK(worst_logit(base.weights, expected) > 0.05);  // the base alone has others
  CHECK(worst_merged<lm>(base, a.get(), TestType::name) < 1e-4);
}

TEST_CASE("a merged model as a folder has PEFT's logits", "[io][adapters]") {
  const std::string name = GENERATE("lora", "dora");
  const base_model base;
  const auto a = load_adapter<lm>((folder_of(name) + "/last").c_str()).value();
  a.get().prepare(base.weights);
  heap_arena merged_memory(lm::weight_bytes), read_memory(lm::weight_bytes);
  lm::weights merged(merged_memory), read(read_memory);
  merge_adapter(weights_with_adapter{base.weights, a.get()}, merged);
  const scratch_folder folder;
  const std::string exported = folder / "merged";
  REQUIRE(save_hf<lm>(exported.c_str(), merged));
  CHECK(files_tensors(exported) == files_tensors(folder_of("base")));  // which transformers wrote
  REQUIRE(load_safetensors<lm>(exported.c_str(), read));
  CHECK(worst_logit(read, numbers(name + "/golden.safetensors", "logits")) < 1e-4);
}

namespace {

/// The logits of the first sequence, by a session that is empty.
template <class Session>
std::vector<float> logits_of(Session& s) {
  const batch first(0);
  std::vector<float> all;
  s.score(span<const token>(first.inputs).first(16),
          [&](std::size_t, span<float> logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  return all;
}
double apart(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = worse(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}

}  // namespace

TEST_CASE("sessions over one base switch adapters", "[io][adapters]") {
  using adapted_lm = causal_lm<base_tag, adapters<4>>;
  const base_model base;
  heap_arena one_memory(adapted_lm::session_bytes), other_memory(adapted_lm::session_bytes);
  adapted_lm::session one(base.weights, one_memory), other(base.weights, other_memory);
  const auto plain = logits_of(one);
  CHECK(worst_logit(base.weights, plain) < 1e-6);
  for (const char* name : {"lora", "rslora", "dora", "layers"}) {
    const auto a = load_adapter<adapted_lm>((folder_of(name) + "/last").c_str()).value();
    a.get().prepare(base.weights);
    one.reset();
    one.use(&a.get());
    const auto expected = numbers(std::string(name) + "/golden.safetensors", "logits");
    CHECK(apart(logits_of(one), expected) < 1e-4);
    other.reset();
    CHECK(apart(logits_of(other), plain) == 0);  // another session's weights are what they were
    CHECK_THROWS_WITH(one.use(&a.get()), "ctlm: a session takes another adapter while it is empty: it has 16 tokens");
    one.reset();
    one.use(static_cast<const adapter<adapted_lm>*>(nullptr));
    CHECK(apart(logits_of(one), plain) == 0);
  }
  using small_lm = causal_lm<base_tag, adapters<2>>;
  heap_arena small_memory(small_lm::session_bytes);
  small_lm::session small(base.weights, small_memory);
  const auto a = load_adapter<small_lm>((folder_of("lora") + "/last").c_str()).value();
  CHECK_THROWS_WITH(small.use(&a.get()),
                    "ctlm: this adapter has rank 4, and the model's sessions take ranks up to 2: adapters<2>");
}
