// Models whose heads are together wider or narrower than d_model: config.head_dim says how wide one is.
#include "catch.hpp"

#include "models.hpp"
#include "worse.hpp"

#include <cmath>

using namespace models;
using namespace ctlm;

namespace {

struct wide_llama {  // 3 heads do not divide 20
  static constexpr llama_config config{
      .vocab = 61, .d_model = 20, .layers = 2, .heads = 3, .kv_heads = 1, .head_dim = 16, .d_ff = 44, .context = 24};
};
struct narrow_llama {
  static constexpr llama_config config{
      .vocab = 61, .d_model = 48, .layers = 2, .heads = 2, .head_dim = 6, .d_ff = 44, .context = 24};
};
struct wide_gpt2 {
  static constexpr gpt2_config config{
      .vocab = 61, .d_model = 20, .layers = 2, .heads = 3, .head_dim = 25, .context = 24};
};
struct spelt_out {  // what models::tiny_llama leaves to the default
  static constexpr llama_config config{
      .vocab = 61, .d_model = 24, .layers = 2, .heads = 6, .kv_heads = 2, .head_dim = 4, .d_ff = 44, .context = 40};
};
struct recipe {
  static constexpr train_config config{.batch = 1};
};

/// The largest difference between the session's logits and the trainer's, over one sequence.
template <class M>
double session_against_trainer() {
  using trainer_type = trainer<M, recipe>;
  const auto tokens = random_tokens(M::shape.context, M::shape.vocab);
  heap_arena memory(trainer_type::train_bytes);
  trainer_type t(memory, {});
  CHECK(memory.remaining() == 0);
  t.start_from([](const auto& w) { randomise<M>(w); });
  heap_arena session_memory(M::session_bytes);
  typename M::session session(t.weights(), session_memory);
  CHECK(session_memory.remaining() == 0);
  t.read(tokens);
  double worst = 0;
  session.score(tokens, [&](std::size_t i, auto logits) {
    const auto* expected = t.logits(i, 1);
    for (std::size_t v = 0; v < M::shape.vocab; ++v)
      worst = worse(worst, std::fabs(static_cast<double>(logits[v] - expected[v])));
  });
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("a session with heads of any width computes what its trainer does", "[model]", wide_llama,
                   narrow_llama, wide_gpt2) {
  CHECK(session_against_trainer<causal_lm<TestType, weights<f64>>>() < 1e-11);
  CHECK(session_against_trainer<causal_lm<TestType>>() < 1e-4);
}

TEST_CASE("a quantised session with wide heads stays near the exact one", "[model]") {
  using exact = causal_lm<wide_llama>;
  using small = causal_lm<wide_llama, weights<int8<>>, kv_cache<int8<>>>;
  running<exact> e;
  running<small> s;
  randomise<exact>(e.weights, 0.1);
  quantise(e.weights, s.weights);
  const auto tokens = random_tokens(20, 61);
  const auto expected = e.session.prefill(tokens), found = s.session.prefill(tokens);
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < 61; ++i) {
    worst = worse(worst, std::fabs(static_cast<double>(expected[i] - found[i])));
    largest = worse(largest, std::fabs(static_cast<double>(expected[i])));
  }
  CHECK(worst < 0.05 * largest);
}

TEST_CASE("head_dim says what its default means", "[model]") {
  STATIC_REQUIRE(causal_lm<spelt_out>::session_bytes == causal_lm<tiny_llama>::session_bytes);
  CHECK(weights_fingerprint<causal_lm<spelt_out>>() == weights_fingerprint<causal_lm<tiny_llama>>());
  STATIC_REQUIRE(causal_lm<wide_gpt2>::shape.qkv_dim() == 3 * 75);
}
