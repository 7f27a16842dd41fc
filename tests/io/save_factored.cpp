// Models with factored projections as files of other programs: they hold the products.
#include "catch.hpp"
#include "model/models.hpp"
#include "scratch.hpp"

#include <cstring>

using namespace ctlm;
using namespace models;

namespace {

struct tiny {
  static constexpr llama_config config{
      .vocab = 64, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 64, .context = 32};
};
struct tiny_conv {
  static constexpr gpt2_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 64};
};

}  // namespace

TEMPLATE_TEST_CASE("files of factored models hold whole matrices", "[io][factored]", tiny, tiny_conv) {
  using lm = causal_lm<TestType, factored<5, tensors::up, tensors::qkv, tensors::out>>;
  using whole = causal_lm<TestType>;
  STATIC_REQUIRE(std::is_same_v<typename lm::whole_model, whole>);
  heap_arena memory(lm::weight_bytes + 2 * whole::weight_bytes);
  typename lm::weights w(memory);
  typename whole::weights merged(memory), read(memory);
  randomise<lm>(w, 0.3);
  merge_factors(w, merged);
  SECTION("a folder of Hugging Face") {
    const scratch_folder scratch;
    const std::string folder = scratch / "hf";
    REQUIRE(save_hf<lm>(folder.c_str(), w));
    serial one;
    REQUIRE(load_safetensors<whole>((folder + "/model.safetensors").c_str(), read, one));
  }
  SECTION("a GGUF file") {
    const scratch_folder scratch;
    const std::string file = scratch / "factored.gguf";
    REQUIRE(save_gguf<lm>(file.c_str(), w));
    serial one;
    REQUIRE(load_gguf<whole>(file.c_str(), read, one));
    const auto r = load_gguf<lm>(file.c_str(), w, one);
    REQUIRE(!r);
    CHECK(r.error().code == errc::unsupported);
    CHECK(std::string(r.error().what).find("factorise_weights") != std::string::npos);
  }
  CHECK(std::memcmp(read.bytes().data(), merged.bytes().data(), merged.bytes().size()) == 0);
}

TEST_CASE("factored weights on the disk", "[io][factored]") {
  using here = causal_lm<tiny, weights<int8<32>>, factored<8>>;
  using there = causal_lm<tiny, weights<int8<32>>, factored<8>, memory<offloaded<(1 << 20)>>>;
  const scratch_folder scratch;
  const std::string file = scratch / "factored.ctlm";
  heap_arena memory(here::weight_bytes + here::session_bytes);
  here::weights w(memory);
  randomise<here>(w, 0.3);
  REQUIRE(write_image<here>(file.c_str(), w));
  heap_arena other(offloaded_weights<there>::bytes_needed() + there::session_bytes);
  offloaded_weights<there> source(other);
  REQUIRE(source.open(file.c_str()));
  here::session a(w, memory);
  there::session b(source, other);
  const auto tokens = random_tokens(17, 64, 3);
  const auto expected = a.prefill(tokens), found = b.prefill(tokens);
  CHECK(std::equal(expected.begin(), expected.end(), found.begin()));
}
