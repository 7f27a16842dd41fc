// LongRoPE: a model of the original context, and one of a longer context, compute what transformers computes with texts
// of that length. make_longrope.py made the files.
#include "architectures/phi3_longrope/config.hpp"
#include "architectures_golden.hpp"
#include "scratch.hpp"

#include <cstring>

using namespace architecture_files;

namespace {

CTLM_GOLDEN_MODEL(phi3_longrope, 0);
struct of_the_original_context : phi3_longrope {
  static constexpr auto config = hf::config(phi3_longrope::text, 32);
};

/// The largest difference of all logits, where the ids enter in chunks.
template <class Tag>
double worst_logit(const golden& expected, const char* name, std::size_t positions) {
  using M = causal_lm<Tag, prompt_chunk<16>>;
  heap_arena memory(M::weight_bytes + M::session_bytes);
  typename M::weights weights(memory);
  load<M>(phi3_longrope::folder, weights);
  typename M::session session(weights, memory);
  const std::vector<token> ids = expected.tokens("ids");
  const std::vector<float> logits = expected.numbers(name);
  REQUIRE(logits.size() == positions * M::shape.vocab);
  double w = 0;
  session.score(span<const token>(ids).first(positions), [&](std::size_t i, auto ours) {
    for (std::size_t v = 0; v < ours.size(); ++v)
      w = worse(w, std::fabs(static_cast<double>(ours[v]) - static_cast<double>(logits[i * ours.size() + v])));
  });
  return w;
}

}  // namespace

TEST_CASE("Phi-3 with LongRoPE equals transformers, by the list for its context", "[io]") {
  CHECK(contents_of(path_of(phi3_longrope::folder, "config.json")) == phi3_longrope::text);
  const golden expected(phi3_longrope::folder);
  CHECK(worst_logit<phi3_longrope>(expected, "long", 64) < 1e-4);
  CHECK(worst_logit<of_the_original_context>(expected, "short", 32) < 1e-4);
  CHECK(weights_fingerprint<causal_lm<phi3_longrope>>() != weights_fingerprint<causal_lm<of_the_original_context>>());
}

TEMPLATE_TEST_CASE("a model with LongRoPE that is saved as a folder is the same model when it is read", "[io]",
                   phi3_longrope, of_the_original_context) {
  using M = causal_lm<TestType>;
  const scratch_folder folder;
  heap_arena memory(2 * M::weight_bytes);
  typename M::weights weights(memory), again(memory);
  load<M>(phi3_longrope::folder, weights);
  REQUIRE(save_hf<M>((folder / "model").c_str(), weights));
  const std::string json = contents_of(folder / "model/config.json");
  INFO(json);
  const auto config = hf::config(json.c_str());
  REQUIRE(config.problem.what == hf::problem::none);
  const decoder_shape read = config.shape(true);
  CHECK(read.rope_scaling == rope_kind::longrope);
  CHECK(read.rope_context == M::shape.rope_context);
  CHECK(read.context == M::shape.context);
  CHECK(read.rotated() == M::shape.rotated());
  CHECK(read.rope_divisors == M::shape.rope_divisors);
  CHECK(rotary_detail::amplitude(read) == rotary_detail::amplitude(M::shape));
  REQUIRE(load_safetensors<M>((folder / "model").c_str(), again));
  CHECK(std::memcmp(weights.bytes().data(), again.bytes().data(), M::weight_bytes) == 0);
}
