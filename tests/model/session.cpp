// Sessions: exact sizes, one token at a time or many, every format, and the forward pass of training.
#include "catch.hpp"

#include "models.hpp"
#include "worse.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace models;

namespace {

template <class M>
std::vector<double> logits_after(const std::vector<ctlm::token>& tokens, bool at_once) {
  running<M> r;
  randomise<M>(r.weights);
  ctlm::span<typename M::real> last;
  if (at_once) {
    last = r.session.prefill(tokens);
  } else {
    for (ctlm::token t : tokens) last = r.session.decode(t);
  }
  return {last.begin(), last.end()};
}

double worst(const std::vector<double>& a, const std::vector<double>& b) {
  double w = 0;
  for (std::size_t i = 0; i < a.size(); ++i) w = worse(w, std::fabs(a[i] - b[i]));
  return w;
}

using namespace ctlm;
using exact_llama = causal_lm<tiny_llama, weights<f64>>;
using exact_gpt2 = causal_lm<tiny_gpt2, weights<f64>>;

struct recipe {
  static constexpr train_config config{.batch = 1};
};

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using some_models = std::tuple<causal_lm<tiny_llama, weights<int4<32>>, kv_cache<int8<32>>>,
                               causal_lm<tiny_gpt2, weights<int2<>>, kv_cache<f16>, prompt_chunk<1>>,
                               causal_lm<tiny_llama, weights<int4<32, compact>>, kv_cache<int4<8, compact>>>,
                               causal_lm<tiny_llama, weights<int6<32>, keep<ternary<>, tensors::down>>>>;
#else
using some_models = std::tuple<causal_lm<tiny_llama>, causal_lm<tiny_gpt2, weights<int8<>>>,
                               causal_lm<tiny_llama, weights<int4<32>>, kv_cache<int8<32>>>,
                               causal_lm<tiny_gpt2, weights<int2<>>, kv_cache<f16>, prompt_chunk<1>>,
                               causal_lm<tiny_llama, weights<int3<32, asymmetric>>, kv_cache<int6<8>>>,
                               causal_lm<tiny_llama, weights<int4<32, compact>>, kv_cache<int4<8, compact>>>,
                               causal_lm<tiny_gpt2, weights<int5<>>, kv_cache<int5<8>>>,
                               causal_lm<tiny_llama, weights<int6<32>, keep<ternary<>, tensors::down>>>,
                               causal_lm<tiny_llama, weights<f16>, backend<portable>>,
                               causal_lm<tiny_gpt2, weights<bf16>, compute<decoded>>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("arenas of the promised bytes are filled to the last one", "[model]", some_models) {
  running<TestType> r;
  CHECK(r.weight_memory.remaining() == 0);
  CHECK(r.session_memory.remaining() == 0);
  CHECK(r.weights.bytes().size() == TestType::weight_bytes);
}

TEST_CASE("a prompt taken at once equals one token at a time", "[model]") {
  const auto tokens = random_tokens(29, 61);
  CHECK(worst(logits_after<exact_llama>(tokens, true), logits_after<exact_llama>(tokens, false)) < 1e-12);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(worst(logits_after<exact_gpt2>(tokens, true), logits_after<exact_gpt2>(tokens, false)) < 1e-12);
#endif
  using quantised = causal_lm<tiny_llama, weights<int4<32>>, kv_cache<int8<32>>>;
  CHECK(worst(logits_after<quantised>(tokens, true), logits_after<quantised>(tokens, false)) < 1e-4);
  using others = causal_lm<tiny_llama, weights<int3<32, asymmetric>, keep<int6<32>, tensors::embedding>>>;
  CHECK(worst(logits_after<others>(tokens, true), logits_after<others>(tokens, false)) < 1e-4);
}

TEST_CASE("single precision, other backends and caches stay close to double", "[model]") {
  const auto tokens = random_tokens(20, 61);
  const auto exact = logits_after<exact_llama>(tokens, true);
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama, backend<portable>>>(tokens, true)) < 2e-5);
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama, kv_cache<f16>>>(tokens, false)) < 2e-2);
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama, weights<int8<>>, compute<decoded>>>(tokens, false)) < 0.3);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama>>(tokens, true)) < 2e-5);
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama, kv_cache<int8<>>>>(tokens, false)) < 0.2);
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama, weights<int8<>>>>(tokens, false)) < 0.4);
  CHECK(worst(exact, logits_after<causal_lm<tiny_llama, weights<f16>>>(tokens, false)) < 2e-2);
  const double six = worst(exact, logits_after<causal_lm<tiny_llama, weights<int6<32>>>>(tokens, false)),
               five = worst(exact, logits_after<causal_lm<tiny_llama, weights<int5<32>>>>(tokens, false)),
               three = worst(exact, logits_after<causal_lm<tiny_llama, weights<int3<32>>>>(tokens, false));
  CHECK(six < five);
  CHECK(five < three);
  CHECK(five < worst(exact, logits_after<causal_lm<tiny_llama, weights<int4<32>>>>(tokens, false)));
  CHECK(three < worst(exact, logits_after<causal_lm<tiny_llama, weights<int2<32>>>>(tokens, false)));
#endif
}

TEST_CASE("a session can be rewound, reset and used again", "[model]") {
  running<exact_llama> r;
  randomise<exact_llama>(r.weights);
  const auto tokens = random_tokens(10, 61);
  const auto first = r.session.prefill(tokens);
  const std::vector<double> expected(first.begin(), first.end());
  r.session.rewind(7);
  const auto again = r.session.prefill(span<const token>(tokens).subspan(7));
  CHECK(worst(expected, {again.begin(), again.end()}) < 1e-12);
  r.session.reset();
  CHECK(r.session.position() == 0);
  const auto fresh = r.session.prefill(tokens);
  CHECK(worst(expected, {fresh.begin(), fresh.end()}) == 0);
}

TEST_CASE("the mean loss of a session equals that of a trainer", "[model]") {
  using trainer_type = trainer<exact_gpt2, recipe>;
  heap_arena memory(trainer_type::train_bytes);
  trainer_type t(memory, {});
  t.start_from([](const auto& w) { randomise<exact_gpt2>(w); });
  const auto tokens = random_tokens(41, 61);
  const span<const token> all = tokens;
  const double trained = t.evaluate(all.first(40), all.subspan(1));
  heap_arena session_memory(exact_gpt2::session_bytes);
  exact_gpt2::session s(t.weights(), session_memory);
  CHECK(mean_nll(s, all) == Approx(trained).epsilon(1e-12));
}

TEST_CASE("generation stops where it is told to", "[model]") {
  running<exact_llama> r;
  randomise<exact_llama>(r.weights);
  const auto prompt = random_tokens(3, 61);
  std::vector<token> made;
  sampler greedy;
  auto keep = [&](token t) { made.push_back(t); };
  CHECK(generate(r.session, prompt, greedy, 12, keep) == 12);
  CHECK(made.size() == 12);

  const auto all = made;
  made.clear();
  r.session.reset();
  greedy.stop = all[5];
  const std::size_t first = static_cast<std::size_t>(std::find(all.begin(), all.end(), all[5]) - all.begin());
  CHECK(generate(r.session, prompt, greedy, 12, keep) == first);

  made.clear();
  r.session.reset();
  greedy.stop = sampler::no_stop;
  CHECK(generate(r.session, prompt, greedy, 1000, keep) == 40 - 3 + 1);  // to the end of the context

  r.session.reset();
  CHECK(generate(r.session, prompt, greedy, 1000, [n = 0](token) mutable { return ++n < 4; }) == 4);
}

TEST_CASE("weights are bound where they lie, and only if they fit", "[model]") {
  using M = causal_lm<tiny_llama, weights<int4<32>>>;
  running<M> r;
  randomise<M>(r.weights);
  const auto blob = r.weights.bytes();
  const auto bound = M::const_weights::bind(span<const std::byte>(blob.data(), blob.size()));
  REQUIRE(bound);
  CHECK(bound->matrix_of(tensor_id::up_weight, 1).codes == r.weights.matrix_of(tensor_id::up_weight, 1).codes);
  heap_arena memory(M::session_bytes);
  M::session s(*bound, memory);
  CHECK(s.decode(3)[0] == r.session.decode(3)[0]);
  const auto shorter = M::const_weights::bind(span<const std::byte>(blob.data(), blob.size() - 1));
  REQUIRE_FALSE(shorter);
  CHECK(shorter.error().code == errc::wrong_model);
}

TEST_CASE("converting to a wider format and back changes nothing", "[model]") {
  using M = causal_lm<tiny_gpt2, weights<int8<32>>>;
  using W = causal_lm<tiny_gpt2>;
  running<M> a, b;
  running<W> wide;
  randomise<M>(a.weights);
  quantise(a.weights, wide.weights);
  quantise(wide.weights, b.weights);
  const auto x = a.session.decode(5), y = b.session.decode(5);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(y[i]).margin(2e-3));
}

#if CTLM_EXCEPTIONS
TEST_CASE("a session refuses what it cannot do, in words", "[model]") {
  running<exact_llama> r;
  CHECK_THROWS_WITH(r.session.decode(61), "ctlm: token 61 is outside the vocabulary of 61");
  CHECK_THROWS_WITH(r.session.decode(-1), "ctlm: token -1 is outside the vocabulary of 61");
  CHECK_THROWS_WITH(r.session.prefill(random_tokens(41, 61)),
                    "ctlm: the context is full: 41 positions needed, 40 left");
  CHECK_THROWS_WITH(r.session.prefill({}), Catch::Contains("at least one token"));
  CHECK_THROWS_WITH(r.session.logits(), Catch::Contains("there are no logits"));
  CHECK_THROWS_WITH(r.session.rewind(3), "ctlm: a session can only be rewound: it stands at 0, not yet at 3");
  heap_arena small(exact_llama::session_bytes - 1);
  CHECK_THROWS_WITH(exact_llama::session(r.weights, small), Catch::Contains("arena is too small"));
}
#endif
