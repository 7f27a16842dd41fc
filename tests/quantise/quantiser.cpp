// A whole model rounded by what its matrices see: better than without, within the bytes that it promised, and refusing
// what it cannot use.
#include "catch.hpp"

#include "io/data.hpp"
#include "model/models.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

using namespace ctlm;
using namespace models;

namespace {

struct mixed_gemma {  // windows, gains that grow by one, norms behind the parts, scaled embeddings
  static constexpr gemma2_config config{.vocab = 61,
                                        .d_model = 24,
                                        .layers = 4,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_dim = 8,
                                        .d_ff = 44,
                                        .context = 40,
                                        .window = 8};
};
struct normed_qwen {
  static constexpr qwen3_config config{
      .vocab = 61, .d_model = 24, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 8, .d_ff = 44, .context = 40};
};
struct no_experts {
  static constexpr mistral_config config{
      .vocab = 61, .d_model = 24, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 44, .context = 40, .window = 8};
};
struct one_expert {
  static constexpr mixtral_config config{.vocab = 61,
                                         .d_model = 24,
                                         .layers = 2,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .d_ff = 44,
                                         .context = 40,
                                         .rope_theta = no_experts::config.rope_theta,
                                         .experts = 1,
                                         .experts_per_token = 1,
                                         .window = 8};
};

struct alignas(memory_alignment) piece {
  std::byte bytes[memory_alignment]{};
};

/// Weights of a model in memory of their own.
template <class M>
struct held {
  std::vector<piece> bytes = std::vector<piece>(M::weight_bytes / sizeof(piece) + 1);
  span_arena memory{{reinterpret_cast<std::byte*>(bytes.data()), bytes.size() * sizeof(piece)}};
  typename M::weights weights{memory};

  bool operator==(const held& o) const {
    return std::memcmp(bytes.data(), o.bytes.data(), bytes.size() * sizeof(piece)) == 0;
  }
};

/// Sum of squared differences between the logits of two sessions, over sequences of random tokens.
template <class A, class B>
double difference(A& a, B& b) {
  double sum = 0;
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    const auto tokens = random_tokens(40, 61, seed);
    std::vector<std::vector<float>> expected;
    a.reset();
    b.reset();
    a.score(tokens, [&](std::size_t, auto logits) { expected.emplace_back(logits.begin(), logits.end()); });
    b.score(tokens, [&](std::size_t i, auto logits) {
      for (std::size_t v = 0; v < logits.size(); ++v)
        sum += std::pow(static_cast<double>(logits[v]) - static_cast<double>(expected[i][v]), 2);
    });
  }
  return sum;
}

}  // namespace

TEMPLATE_TEST_CASE("each way to round is better than the one before, for every architecture", "[quantise]", tiny_gpt2,
                   tiny_llama, mixed_gemma, normed_qwen, small_experts<>) {
  using full = causal_lm<TestType>;
  using small = causal_lm<TestType, weights<int4<32, asymmetric>>, compute<decoded>>;
  using work = quantiser<full, small, 40>;
  running<full> exact;
  randomise<full>(exact.weights, 0.2);
  running<small> plain, weighted, fed_back;
  quantise(exact.weights, plain.weights);
  heap_arena memory(work::bytes_needed());
  work q(memory);
  CHECK(memory.remaining() == 0);
  const auto text = random_tokens(2050, 61, 7);
  CHECK(q.run(exact.weights, weighted.weights, {.text = text}).kept());
  CHECK(q.run(exact.weights, fed_back.weights, {.method = rounding::gptq, .text = text}).kept());

  const double by_itself = difference(exact.session, plain.session);
  const double by_inputs = difference(exact.session, weighted.session);
  const double with_feedback = difference(exact.session, fed_back.session);
  CHECK(by_inputs < by_itself);
  CHECK(with_feedback < by_inputs);
}

TEST_CASE("experts are rounded by what each of them sees, and by more where that is little", "[quantise]") {
  using full = causal_lm<small_qwen3_moe>;  // one layer: which experts a token takes does not depend on rounding
  using only_experts = weights<f32, keep<int3<32, asymmetric>, tensors::up, tensors::down>>;
  using small = causal_lm<small_qwen3_moe, only_experts, compute<decoded>>;
  using work = quantiser<full, small, 40>;
  running<full> exact;
  randomise<full>(exact.weights, 0.2);
  running<small> plain, weighted, fed_back;
  quantise(exact.weights, plain.weights);
  const double by_itself = difference(exact.session, plain.session);
  for (const std::size_t tokens : {160, 800, 4000}) {
    const quantiser_room room{.tokens = tokens};
    heap_arena memory(work::bytes_needed(room));
    work q(memory, room);
    CHECK(memory.remaining() == 0);
    const auto text = random_tokens(tokens, 61, 7);
    CHECK(q.run(exact.weights, weighted.weights, {.text = text}).kept());
    CHECK(q.run(exact.weights, fed_back.weights, {.method = rounding::gptq, .text = text}).kept());
    const double by_inputs = difference(exact.session, weighted.session);
    const double with_feedback = difference(exact.session, fed_back.session);
    CAPTURE(tokens, by_itself, by_inputs, with_feedback);
    CHECK(by_inputs < by_itself);
    CHECK(with_feedback < by_inputs);
  }
}

TEST_CASE("an expert that is alone is rounded as the feed-forward part of a model without experts", "[quantise]") {
  using dense = causal_lm<no_experts>;
  using routed = causal_lm<one_expert>;
  using format = weights<int4<32, compact>>;
  held<dense> a;
  held<routed> b;
  randomise<dense>(a.weights, 0.2);
  for (const tensor_info& t : dense::tensors) {
    const auto from = a.weights.numbers(t), to = b.weights.numbers(routed::tensors.of(t.id));
    std::copy(from.begin(), from.end(), to.begin());
  }
  const auto text = random_tokens(2050, 61, 7);
  for (const rounding method : {rounding::weighted, rounding::gptq}) {
    held<causal_lm<no_experts, format>> expected;
    held<causal_lm<one_expert, format>> found;
    const auto run = [&](auto work, const auto& exact, const auto& rounded) {
      using quantiser_type = typename decltype(work)::type;
      heap_arena memory(quantiser_type::bytes_needed());
      quantiser_type(memory).run(exact.weights, rounded.weights, {.method = method, .text = text});
    };
    run(std::type_identity<quantiser<dense, causal_lm<no_experts, format>, 40>>{}, a, expected);
    run(std::type_identity<quantiser<routed, causal_lm<one_expert, format>, 40>>{}, b, found);
    for (const tensor_id id : {tensor_id::token_embedding, tensor_id::qkv_weight, tensor_id::out_weight,
                               tensor_id::up_weight, tensor_id::down_weight}) {
      const auto x = expected.weights.raw_matrix(static_cast<std::size_t>(id));
      const auto y = found.weights.raw_matrix(static_cast<std::size_t>(id));
      std::vector<float> one(x.cols), other(x.cols);
      bool same = x.rows == y.rows && x.cols == y.cols;
      for (std::size_t r = 0; same && r < x.rows; ++r) {
        decltype(x)::format::decode(x, r, 0, x.cols, one.data());
        decltype(y)::format::decode(y, r, 0, y.cols, other.data());
        same = one == other;
      }
      CHECK(same);
    }
  }
}

TEST_CASE("a quantiser counts what it could not keep, and says how far it is", "[quantise]") {
  using full = causal_lm<tiny_llama>;
  using small = causal_lm<tiny_llama, weights<int4<32>>>;
  running<full> exact;
  held<small> rounded, plain;
  randomise<full>(exact.weights);
  const auto gain = exact.weights.vector_of(tensor_id::norm1_weight, 1);
  gain[3] = std::numeric_limits<float>::quiet_NaN();  // what layer 1 sees is NaN: its weights are rounded as they are
  const auto expected = quantise(exact.weights, plain.weights);
  using work = quantiser<full, small, 40>;
  heap_arena memory(work::bytes_needed());
  work q(memory);
  std::vector<std::size_t> told;
  const conversion report =
      q.run(exact.weights, rounded.weights, {.method = rounding::gptq}, [&](std::size_t layer, std::size_t layers) {
        CHECK(layers == 2);
        told.push_back(layer);
      });
  CHECK(told == std::vector<std::size_t>{0, 1, 2});
  CHECK(report.groups > 0);
  CHECK(report.not_finite == 0);  // integers: a gain is none
  CHECK(expected.not_finite == 1);
}

TEST_CASE("a quantiser refuses what it cannot read", "[quantise]") {
  using full = causal_lm<tiny_llama>;
  using small = causal_lm<tiny_llama, weights<int4<32>>>;
  using work = quantiser<full, small, 40>;
  running<full> exact;
  held<small> rounded;
  randomise<full>(exact.weights);
  constexpr quantiser_room modest{.method = rounding::weighted, .tokens = 80};
  STATIC_REQUIRE(work::bytes_needed(modest) < work::bytes_needed({.method = rounding::gptq, .tokens = 80}));

  heap_arena less(work::bytes_needed(modest));
  work weighted(less, modest);
  CHECK_THROWS_WITH(weighted.run(exact.weights, rounded.weights, {.method = rounding::gptq}),
                    Catch::Contains("made without the memory that gptq needs"));
  const auto short_text = random_tokens(39, 61);
  CHECK_THROWS_WITH(weighted.run(exact.weights, rounded.weights, {.text = short_text}),
                    Catch::Contains("sequences of 40 tokens, and the text has 39"));
  auto wrong = random_tokens(80, 61);
  wrong[41] = 61;
  CHECK_THROWS_WITH(weighted.run(exact.weights, rounded.weights, {.text = wrong}), Catch::Contains("61"));
  CHECK_THROWS_WITH(work(less, {.tokens = 39}), Catch::Contains("sequences of 40 tokens, and is to have room for 39"));
  heap_arena too_small(work::bytes_needed() - 1);
  CHECK_THROWS_WITH(work(too_small), Catch::Contains("too small for the quantiser"));
}

TEST_CASE("stories260K: what four bits cost, by how they are chosen", "[accuracy]") {
  if (!data::present("stories260K.bin") || !data::present("tok512.bin")) return;
  using full = causal_lm<stories>;
  using small = causal_lm<stories, weights<int4<32>>>;
  running<full> exact;
  load_llama2c<full>(data::path("stories260K.bin").c_str(), exact.weights).value();
  std::vector<token> text;  // the model's own
  const token bos = llama2c_tokenizer::bos;
  for (std::uint64_t seed = 1; seed <= 64; ++seed) {
    sampler how{.temperature = 1.0f, .seed = seed};
    exact.session.reset();
    text.push_back(bos);
    generate(exact.session, span<const token>(&bos, 1), how, 255, [&](token t) { text.push_back(t); });
  }
  const span<const token> all(text), tested = all.first(32 * 256), seen = all.subspan(32 * 256);
  using work = quantiser<full, small, 256>;
  constexpr quantiser_room room{.tokens = 32 * 256};
  heap_arena memory(work::bytes_needed(room));
  work q(memory, room);
  const double base = mean_nll(exact.session, tested, 256);
  running<small> rounded;
  const auto added = [&] { return mean_nll(rounded.session, tested, 256) - base; };
  quantise(exact.weights, rounded.weights);
  const double plain = added();
  q.run(exact.weights, rounded.weights, {});
  const double random = added();
  q.run(exact.weights, rounded.weights, {.text = seen});
  const double weighted = added();
  q.run(exact.weights, rounded.weights, {.method = rounding::gptq, .text = seen, .towards_exact = 0});
  const double fed_back = added();
  q.run(exact.weights, rounded.weights, {.method = rounding::gptq, .text = seen});
  const double followed = added();
  CAPTURE(base, plain, random, weighted, fed_back, followed);
  CHECK(random < plain);
  CHECK(weighted < plain);
  CHECK(fed_back < 0.8 * weighted);
  CHECK(followed < fed_back);
}
