// Checkpoints that are not quite the model's: every tensor that is missing, too many or of another shape is named, and
// no weight changes. And those that differ in what does not matter.
#include "architectures_golden.hpp"

#include <functional>

using namespace architecture_files;

namespace {

struct tensor_in_memory {
  std::string name;
  std::vector<std::size_t> dimensions;
  std::vector<float> numbers;
};
using checkpoint = std::vector<tensor_in_memory>;

checkpoint read_checkpoint(const char* folder) {
  const auto file = safetensors_file::open(path_of(folder, "model.safetensors").c_str()).value();
  checkpoint all;
  for (const stored_tensor& t : file.tensors()) {
    all.push_back(
        {{t.name.data(), t.name.size()}, {t.dimensions, t.dimensions + t.rank}, std::vector<float>(t.count())});
    t.decode(0, t.count(), all.back().numbers.data());
  }
  return all;
}

tensor_in_memory& find(checkpoint& all, const std::string& name) {
  const auto place = std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == name; });
  REQUIRE(place != all.end());
  return *place;
}

void save(const std::string& path, const checkpoint& all) {
  std::vector<tensor_to_save> tensors;
  for (const tensor_in_memory& t : all) {
    tensors.push_back({t.name.c_str(), safetensors_type::f32, t.dimensions.size(), {}});
    std::copy(t.dimensions.begin(), t.dimensions.end(), tensors.back().dimensions);
  }
  REQUIRE(save_safetensors(path.c_str(), tensors, [&](std::size_t i, safetensors_writer& out) {
    return out.put(all[i].numbers.data(), all[i].numbers.size());
  }));
}

tensor_in_memory zeros(const char* name, std::vector<std::size_t> dimensions) {
  std::size_t n = 1;
  for (const std::size_t d : dimensions) n *= d;
  return {name, std::move(dimensions), std::vector<float>(n)};
}

template <class M>
std::vector<float> all_weights(const typename M::weights& weights) {
  std::vector<float> all;
  for (const tensor_info& t : M::tensors) {
    const auto numbers = weights.numbers(t);
    all.insert(all.end(), &numbers[0], &numbers[0] + t.size());
  }
  return all;
}

/// A changed checkpoint of a model, and what loading it says.
template <class Tag>
struct attempt {
  using model = causal_lm<Tag>;
  scratch_folder folder;
  heap_arena memory{model::weight_bytes};
  typename model::weights weights{memory};
  tensor_report report;
  std::vector<float> before, after;
  failure error{};

  explicit attempt(const std::function<void(checkpoint&)>& change) {
    initialise(weights, 1);
    before = all_weights<model>(weights);
    checkpoint all = read_checkpoint(Tag::folder);
    change(all);
    const std::string path = folder / "model.safetensors";
    save(path, all);
    report.add("an earlier file", "was wrong");
    if (const auto done = load_safetensors<model>(path.c_str(), weights, &report); !done) error = done.error();
    after = all_weights<model>(weights);
  }
  void is_refused(const std::string& text) const {
    CHECK(report.text == text);
    CHECK(error.code == errc::wrong_model);
    CHECK(error.needed == model::tensors.size());
    CHECK(error.had == report.count());
    CHECK_THAT(std::string(explain(error)), Catch::Contains("the first is " + report.first));
    CHECK(before == after);
  }
  /// Its weights are those of the unchanged file.
  void is_taken() const {
    INFO(report.text);
    REQUIRE(error.code == errc::ok);
    CHECK(report.count() == 0);
    heap_arena other_memory{model::weight_bytes};
    typename model::weights other{other_memory};
    load<model>(Tag::folder, other);
    CHECK(after == all_weights<model>(other));
  }
};

}  // namespace

TEST_CASE("a checkpoint without one of the model's tensors", "[io]") {
  const attempt<llama> one([](checkpoint& all) {
    all.erase(all.begin() + (&find(all, "model.layers.1.self_attn.k_proj.weight") - all.data()));
  });
  one.is_refused("model.layers.1.self_attn.k_proj.weight is missing\n");
  CHECK(one.report.missing == 1);
  const attempt<gpt2> none([](checkpoint& all) { all.clear(); });
  CHECK(none.report.missing == 2 + 2 * 12 + 2);
  CHECK(none.report.first == "wte.weight");
}

TEST_CASE("a checkpoint with a tensor that the model has no place for", "[io]") {
  const attempt<llama> layer([](checkpoint& all) {
    all.push_back(zeros("model.layers.2.mlp.up_proj.weight", {48, 32}));
  });
  layer.is_refused("model.layers.2.mlp.up_proj.weight is not of this model\n");
  CHECK(layer.report.extra == 1);
  attempt<qwen3>([](checkpoint& all) {
    all.push_back(zeros("model.layers.0.self_attn.q_proj.bias", {64}));
  }).is_refused("model.layers.0.self_attn.q_proj.bias is not of this model\n");
}

TEST_CASE("a checkpoint with a tensor of another shape", "[io]") {
  const attempt<llama> transposed([](checkpoint& all) {
    find(all, "model.layers.0.mlp.up_proj.weight").dimensions = {32, 48};
  });
  transposed.is_refused("model.layers.0.mlp.up_proj.weight has the shape [32, 48], and the model needs [48, 32]\n");
  CHECK(transposed.report.shapes == 1);
  // GPT-2's files have inputs as rows, so that [outputs, inputs] is what is wrong there.
  attempt<gpt2>([](checkpoint& all) {
    find(all, "transformer.h.1.attn.c_attn.weight").dimensions = {96, 32};
  }).is_refused("transformer.h.1.attn.c_attn.weight has the shape [96, 32], and the model needs [32, 96]\n");
  attempt<llama>([](checkpoint& all) {
    tensor_in_memory& norm = find(all, "model.norm.weight");
    norm = zeros("model.norm.weight", {31});
  }).is_refused("model.norm.weight has the shape [31], and the model needs [32]\n");
  attempt<llama>([](checkpoint& all) {
    find(all, "model.layers.0.self_attn.v_proj.weight").dimensions = {16 * 32};
  }).is_refused("model.layers.0.self_attn.v_proj.weight has the shape [512], and the model needs [16, 32]\n");
}

TEST_CASE("a checkpoint with several faults has a line for each", "[io]") {
  const attempt<llama> several([](checkpoint& all) {
    find(all, "model.norm.weight") = zeros("model.norm.weight", {31});
    find(all, "lm_head.weight").name = "norm.weight";  // the end of another tensor's name
  });
  several.is_refused(
      "model.norm.weight has the shape [31], and the model needs [32]\n"
      "lm_head.weight is missing\n"
      "norm.weight is not of this model\n");
  CHECK((several.report.missing == 1 && several.report.extra == 1 && several.report.shapes == 1));
}

TEST_CASE("a checkpoint may have what nothing is computed with, and shapes and names of other programs", "[io]") {
  attempt<gemma>([](checkpoint& all) { all.push_back(zeros("lm_head.weight", {64, 32})); }).is_taken();
  attempt<llama>([](checkpoint& all) {
    all.push_back(zeros("model.layers.0.self_attn.rotary_emb.inv_freq", {4}));
    find(all, "model.norm.weight").dimensions = {1, 32};
  }).is_taken();
  attempt<gpt2>([](checkpoint& all) {
    for (tensor_in_memory& t : all) t.name.erase(0, std::string("transformer.").size());
    all.push_back(zeros("h.0.attn.bias", {1, 1, 128, 128}));
    all.push_back(zeros("h.0.attn.masked_bias", {}));
  }).is_taken();
}
