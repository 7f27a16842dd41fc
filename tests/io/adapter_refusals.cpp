// What is wrong with the files of an adapter, in words; and files in which any bit is another.
#include "catch.hpp"
#include "paths.hpp"
#include "scratch.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>
#include <ctlm/train/adapters.hpp>

#include <cstring>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

template <std::size_t Width, std::size_t Layers>
struct tag {
  static constexpr llama_config config{.vocab = 61,
                                       .d_model = Width,
                                       .layers = Layers,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .d_ff = 40,
                                       .context = 16,
                                       .tie_embeddings = true};
};
using lm = causal_lm<tag<24, 2>>;

const std::string peft_files = std::string(paths::source) + "/tests/io/peft/lora/last";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// The words with which a config, and the stored tensors, are refused by model M; nothing if they are not.
template <class M = lm>
std::string words_of(const std::string& config,
                     const std::string& tensors = contents_of(peft_files + "/adapter_model.safetensors")) {
  const scratch_folder folder;
  put_contents(folder / "adapter_config.json", config);
  put_contents(folder / "adapter_model.safetensors", tensors);
  const auto a = load_adapter<M>(folder.path.c_str());
  return a ? "" : explain(a.error()).text;
}

struct alpha8 {
  static constexpr lora_config config{.alpha = 8};
};
struct alpha16 {
  static constexpr lora_config config{.alpha = 16};
};
struct recipe {
  static constexpr train_config config{.batch = 1};
};
template <class Adapter>
std::string words_of_trainer() {
  using T = trainer<lm, recipe, train_only<Adapter>>;
  heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes);
  lm::weights base(base_memory);
  initialise(base, 1);
  T t(base, memory, {});
  const std::vector<std::byte> before(t.learned().bytes().begin(), t.learned().bytes().end());
  const auto r = load_adapter(peft_files.c_str(), t);
  if (r) return "";
  CHECK(std::memcmp(before.data(), t.learned().bytes().data(), before.size()) == 0);
  return explain(r.error()).text;
}

}  // namespace

TEST_CASE("adapters that do not fit are refused in words", "[io][adapters]") {
  const std::string config = contents_of(peft_files + "/adapter_config.json");
  CHECK(words_of(config) == "");
  CHECK(words_of(replaced(config, "\"r\": 4", "\"r\": 5")) ==
        "ctlm: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight has rank 4, but adapter_config.json says "
        "r = 5");
  CHECK(words_of(replaced(config, "\"r\": 4", "\"r\": 0")) == "ctlm: this adapter_config.json has r of 0");
  CHECK(words_of(replaced(config, "LORA", "IA3")) == "ctlm: only adapters whose peft_type is LORA are read");
  CHECK(words_of(replaced(config, "\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}")) ==
        "ctlm: this adapter_config.json asks for rank_pattern, which is not computed");
  CHECK(words_of(replaced(config, "\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]")) ==
        "ctlm: this adapter_config.json asks for modules_to_save, which is not computed");
  CHECK(words_of(replaced(config, "\"bias\": \"none\"", "\"bias\": \"all\"")) ==
        "ctlm: this adapter_config.json has bias other than none");
  CHECK(words_of(replaced(config, "\"use_dora\": false", "\"use_dora\": true")) ==
        "ctlm: this adapter has no base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector");
  CHECK(
      words_of<causal_lm<tag<32, 2>>>(config) ==
      "ctlm: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight is for another model: it has a side of 24 "
      "numbers where this model's has 32");
  CHECK(words_of<causal_lm<tag<24, 1>>>(config).find("ctlm: this adapter is for another model: this one has no place "
                                                     "for base_model.model.model.layers.1.") == 0);
  CHECK(words_of("{}") == "ctlm: only adapters whose peft_type is LORA are read");
  CHECK(words_of("").find("ctlm: ") == 0);
  CHECK(words_of(config, "").find("ctlm: ") == 0);
  const auto none = load_adapter<lm>("no such folder");
  REQUIRE(!none);
  CHECK(none.error().code == errc::not_found);
}

TEST_CASE("a tensor that is missing is named", "[io][adapters]") {
  const std::string name = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight";
  std::string tensors = contents_of(peft_files + "/adapter_model.safetensors");
  tensors = replaced(tensors, name, replaced(name, "lora_B", "lora_C"));
  CHECK(words_of(contents_of(peft_files + "/adapter_config.json"), tensors) == "ctlm: this adapter has no " + name);
}

TEST_CASE("a trainer takes adapters of its own kind alone", "[io][adapters]") {
  CHECK((words_of_trainer<lora<4, tensors::projections, alpha8>>()) == "");
  CHECK((words_of_trainer<lora<8>>()) == "ctlm: this adapter has rank 4, the trainer was made for rank 8");
  CHECK((words_of_trainer<lora<4, tensors::projections, alpha16>>()) ==
        "ctlm: this adapter's scale (lora_alpha over r, or over its root) is not the trainer's");
  CHECK((words_of_trainer<lora<4, tensors::any<tensors::out, tensors::up, tensors::down>, alpha8>>()) ==
        "ctlm: this adapter stands beside other projections of qkv.weight than the trainer's");
}

TEST_CASE("with any bit of its files turned over, an adapter is read or refused in words", "[io][adapters]") {
  const std::string folder = std::string(paths::source) + "/tests/io/peft/layers/last";
  const std::string config = contents_of(folder + "/adapter_config.json");
  const std::string tensors = contents_of(folder + "/adapter_model.safetensors");
  std::size_t refused = 0, read = 0;
  auto look = [&](const std::string& c, const std::string& t) {
    const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(t.data()),
                                       reinterpret_cast<const std::byte*>(t.data()) + t.size());
    const auto file = safetensors_file::bind(bytes);
    if (!file) return void(++refused);
    const auto a = read_adapter<lm>(span<const char>(c), *file);
    if (a) return void(++read);
    ++refused;
    REQUIRE(std::string(explain(a.error()).text).find("ctlm: ") == 0);
  };
  for (std::size_t bit = 0; bit < 8 * config.size(); ++bit) {
    std::string other = config;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ 1 << bit % 8);
    look(other, tensors);
  }
  for (std::size_t bit = 0; bit < 8 * tensors.size(); ++bit) {
    std::string other = tensors;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ 1 << bit % 8);
    look(config, other);
  }
  CHECK(refused > 1000);
  CHECK(read > 1000);  // a number of a matrix is as good as another
}
