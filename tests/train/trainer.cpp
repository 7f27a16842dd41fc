// Training: accumulation, recomputation, dropout, errors, and no allocation.
#include "catch.hpp"

#include "../model/models.hpp"
#include "runs.hpp"
#include "worse.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

using namespace ctlm;
using namespace models;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 3, .sequence = 32, .accumulate = 2};
};

struct large {
  static constexpr train_config config{.batch = 6, .sequence = 32, .accumulate = 1};
};

struct one_sequence {
  static constexpr train_config config{.batch = 1, .sequence = 32};
};

/// Wide enough that every kernel is shared among threads.
struct wide {
  static constexpr llama_config config{
      .vocab = 300, .d_model = 96, .layers = 2, .heads = 6, .kv_heads = 3, .d_ff = 200, .context = 32};
};

struct run {
  std::vector<float> losses;
  std::vector<std::byte> weights;
};

#if CTLM_FEW_KINDS  // the ways of each kind of format: others are packed alike
using seen_formats = std::tuple<int3<32, asymmetric>, int4<32, compact>>;
using learned_formats = std::tuple<ternary<>>;
using resumed_formats = std::tuple<int5<32>>;
using half_formats = std::tuple<bf16>;
#else
using seen_formats = std::tuple<int4<32>, int2<32>, int3<32, asymmetric>, int4<32, compact>, ternary<>>;
using learned_formats = std::tuple<int2<32>, ternary<>, ternary<32>>;
using resumed_formats =
    std::tuple<f32, bf16, int8<>, int4<32, asymmetric>, int4<32, compact>, int3<32, asymmetric>, int5<32>, ternary<>>;
using half_formats = std::tuple<f16, bf16>;
#endif

template <class Trainer>
run train(Trainer& t, int steps, std::size_t vocab) {
  run r;
  for (int s = 0; s < steps; ++s) {
    const auto tokens = random_tokens(Trainer::step_tokens + 1, vocab, static_cast<std::uint64_t>(s + 1));
    const span<const token> all = tokens;
    r.losses.push_back(t.step(all.first(Trainer::step_tokens), all.subspan(1)).loss);
  }
  const auto w = t.weights().bytes();
  r.weights.assign(w.begin(), w.end());
  return r;
}

}  // namespace

TEST_CASE("accumulating micro-batches equals one large batch", "[train]") {
  using M = causal_lm<tiny_llama, weights<f64>>;
  using small_trainer = trainer<M, recipe, optimizer<sgd>>;
  using large_trainer = trainer<M, large, optimizer<sgd>>;
  heap_arena a(small_trainer::train_bytes), b(large_trainer::train_bytes);
  small_trainer s(a, {});
  large_trainer l(b, {});
  auto tokens = random_tokens(6 * 32, 61);
  auto targets = random_tokens(6 * 32, 61, 2);
  for (std::size_t i = 0; i < 50; ++i) targets[i] = ignore_token;  // micro-batches of unequal weight
  for (int i = 0; i < 3; ++i) {
    const auto x = s.step(tokens, targets), y = l.step(tokens, targets);
    CHECK(x.loss == Approx(y.loss).epsilon(1e-6));
    CHECK(x.gradient_norm == Approx(y.gradient_norm).epsilon(1e-6));
  }
  const auto* p = s.weights().matrix_of(tensor_id::up_weight, 1).data;
  const auto* q = l.weights().matrix_of(tensor_id::up_weight, 1).data;
  for (std::size_t i = 0; i < 88 * 24; ++i) REQUIRE(p[i] == Approx(q[i]).epsilon(1e-12).margin(1e-14));
}

TEST_CASE("a model learns a repeating sequence, with and without dropout", "[train]") {
  for (float dropout : {0.0f, 0.1f}) {
    using T = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<adamw>>;
    heap_arena memory(T::train_bytes);
    T t(memory, {.optimizer = {.lr = 5e-3f}, .dropout = dropout});
    std::vector<token> tokens(T::step_tokens), targets(T::step_tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = static_cast<token>(i * i % 17);
      targets[i] = static_cast<token>((i + 1) * (i + 1) % 17);
    }
    const float first = t.step(tokens, targets).loss;
    CHECK(first == Approx(std::log(61.0)).margin(0.3));
    for (int i = 0; i < 150; ++i) t.step(tokens, targets);
    CHECK(t.evaluate(span<const token>(tokens).first(T::batch_tokens),
                     span<const token>(targets).first(T::batch_tokens)) < 0.4);
  }
}

TEST_CASE("recomputing activations costs no bit, and saves what they took", "[train]") {
  using keeping = trainer<causal_lm<wide>, recipe>;
  using recomputing = trainer<causal_lm<wide>, recipe, recompute<2>>;
  constexpr decoder_shape shape = keeping::shape;
  STATIC_REQUIRE(keeping::train_bytes - recomputing::train_bytes ==
                 keeping::batch_tokens * (shape.qkv_dim() + shape.q_dim() + shape.d_model + shape.up_dim()) * 4);
  heap_arena first(keeping::train_bytes), second(recomputing::train_bytes);
  keeping a(first, {.dropout = 0.1f});
  recomputing b(second, {.dropout = 0.1f});
  const run expected = train(a, 4, 300), actual = train(b, 4, 300);
  CHECK(actual.losses == expected.losses);
  CHECK(actual.weights == expected.weights);
}

TEST_CASE("a trainer fills its arena to the last byte", "[train]") {
  using M = causal_lm<tiny_llama>;
  using T = trainer<M, recipe, optimizer<sgd>>;
  static_assert(M::train_bytes<recipe, optimizer<sgd>> == T::train_bytes);
  static_assert(T::train_bytes + M::weight_bytes == trainer<M, recipe, optimizer<adamw>>::train_bytes);
  heap_arena memory(T::train_bytes);
  const T t(memory, {});
  CHECK(memory.remaining() == 0);
  CHECK(t.steps() == 0);
}

TEMPLATE_LIST_TEST_CASE("training for a format sees the weights as that format stores them", "[train]", seen_formats) {
  using M = causal_lm<tiny_llama>;
  using Q = causal_lm<tiny_llama, weights<TestType>, compute<decoded>>;
  using T = trainer<M, recipe, optimizer<sgd>, trained_for<TestType>>;
  static_assert(T::train_bytes > M::train_bytes<recipe, optimizer<sgd>> + M::weight_bytes);
  heap_arena memory(T::train_bytes), session_memory(Q::session_bytes);
  T t(memory, {.optimizer = {.lr = 0.1f}});
  CHECK(memory.remaining() == 0);
  t.start_from([](const auto& w) { randomise<M>(w); });
  typename Q::session s(t.quantised(), session_memory);
  const auto tokens = random_tokens(33, 61);
  std::vector<token> inputs(T::batch_tokens), targets(T::batch_tokens, ignore_token);
  std::copy(tokens.begin(), tokens.end() - 1, inputs.begin());
  std::copy(tokens.begin() + 1, tokens.end(), targets.begin());
  CHECK(t.evaluate(inputs, targets) == Approx(mean_nll(s, tokens)).epsilon(1e-5));
  const auto before = t.weights().matrix_of(tensor_id::up_weight).data[5];
  const auto scales = [&] {
    const auto m = t.quantised().matrix_of(tensor_id::up_weight);
    const std::size_t all = std::decay_t<decltype(m)>::format::groups(m.cols) * m.rows;
    return std::vector<typename TestType::scale_element>(m.scales, m.scales + all);
  };
  const auto scales_before = scales();
  const int steps = TestType::compact ? 60 : 3;  // scales of a byte are few: it takes longer from one to the next
  for (int i = 0; i < steps; ++i) t.step(random_tokens(T::step_tokens, 61), random_tokens(T::step_tokens, 61, 2));
  CHECK(t.weights().matrix_of(tensor_id::up_weight).data[5] != before);  // the full weights learn
  const auto scales_after = scales();                                    // and so do the scales
  std::size_t moved = 0;
  for (std::size_t i = 0; i < scales_before.size(); ++i) moved += scales_after[i] != scales_before[i];
  CHECK(moved > (TestType::compact ? 0 : scales_before.size() / 2));
  heap_arena learned_memory(Q::session_bytes);
  typename Q::session learned(t.quantised(), learned_memory);
  CHECK(t.evaluate(inputs, targets) == Approx(mean_nll(learned, tokens)).epsilon(1e-5));
}

TEMPLATE_LIST_TEST_CASE("a model of three or four levels learns a sequence by heart", "[train]", learned_formats) {
  using Q = causal_lm<tiny_llama, weights<TestType>>;
  using T = trainer<causal_lm<tiny_llama>, one_sequence, optimizer<adamw>, trained_for<TestType>>;
  heap_arena memory(T::train_bytes + Q::session_bytes);
  T t(memory, {.optimizer = {.lr = 3e-3f}});
  const auto tokens = random_tokens(T::step_tokens + 1, 61);
  const span<const token> all = tokens;
  for (int i = 0; i < 200; ++i) t.step(all.first(T::step_tokens), all.subspan(1));
  typename Q::session s(t.quantised(), memory);
  CHECK(mean_nll(s, tokens) < 0.5);  // of random tokens: 4.1 before
}

TEST_CASE("a student approaches its teacher", "[train]") {
  using T = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<adamw>>;
  heap_arena a(T::train_bytes), b(T::train_bytes);
  T teacher(a, {}), student(b, {.seed = 2, .optimizer = {.lr = 3e-3f}});
  teacher.start_from([](const auto& w) { randomise<typename T::model>(w, 0.1); });
  const auto tokens = random_tokens(T::step_tokens, 61);
  const float first = student.distil(tokens, teacher).loss;
  float last = first;
  for (int i = 0; i < 60; ++i) last = student.distil(tokens, teacher).loss;
  CHECK(last < first - 0.1f);
}

#if !CTLM_FEW_KINDS  // the same ways as above, at the cost of a compiler's time
TEST_CASE("clipping limits the update to the norm", "[train]") {
  using T = trainer<causal_lm<tiny_gpt2, weights<f64>>, recipe, optimizer<sgd>>;
  heap_arena memory(T::train_bytes);
  T t(memory, {.optimizer = {.lr = 1.0f, .momentum = 0.0f}, .clip_norm = 0.01f});
  std::vector<double> before;
  for (const auto& i : T::model::tensors) {
    const auto* p = t.weights().numbers(i).data();
    before.insert(before.end(), p, p + i.size());
  }
  const auto r = t.step(random_tokens(T::step_tokens, 61), random_tokens(T::step_tokens, 61, 2));
  REQUIRE(r.gradient_norm > 0.01f);
  double moved = 0;
  std::size_t n = 0;
  for (const auto& i : T::model::tensors) {
    const auto* p = t.weights().numbers(i).data();
    for (std::size_t j = 0; j < i.size(); ++j, ++n) moved += (p[j] - before[n]) * (p[j] - before[n]);
  }
  CHECK(std::sqrt(moved) == Approx(0.01).epsilon(1e-3));
}
#endif

TEMPLATE_LIST_TEST_CASE("state handed out and put back resumes to the bit", "[train]", resumed_formats) {
  using T = trainer<causal_lm<tiny_llama>, recipe, optimizer<adamw>, trained_for<TestType>>;
  heap_arena a(T::train_bytes), b(T::train_bytes);
  T through(a, {.dropout = 0.2f}), resumed(b, {.seed = 1337, .dropout = 0.2f});
  train(through, 4, 61);
  REQUIRE(runs::put_state(resumed, runs::state_of(through)));
  const run x = train(through, 4, 61), y = train(resumed, 4, 61);
  CHECK(x.losses == y.losses);
  CHECK(x.weights == y.weights);
}

TEMPLATE_LIST_TEST_CASE("training for a 16-bit format reads it, and computes as with its numbers in full", "[train]",
                        half_formats) {
  using M = causal_lm<tiny_gpt2>;
  using full = trainer<M, recipe>;
  using T = trainer<M, recipe, trained_for<TestType>>;
  CHECK(T::train_bytes == full::train_bytes + causal_lm<tiny_gpt2, weights<TestType>>::weight_bytes);
  heap_arena a(full::train_bytes), b(T::train_bytes);
  full rounded(a, {});
  T t(b, {});
  rounded.start_from([](const auto& weights) {
    for (const auto& i : M::tensors)
      if (i.is_matrix())
        for (float& w : weights.numbers(i)) w = TestType::to(TestType::from(w));
  });
  const auto tokens = random_tokens(T::batch_tokens, 61), targets = random_tokens(T::batch_tokens, 61, 2);
  CHECK(t.forward_backward(tokens, targets) == Approx(rounded.forward_backward(tokens, targets)).epsilon(1e-6));
  double worst = 0;
  for (const auto& i : M::tensors)
    for (std::size_t j = 0; j < i.size(); ++j) {
      worst = worse(worst, std::fabs(t.gradients().numbers(i)[j] - rounded.gradients().numbers(i)[j]));
    }
  CHECK(worst < 1e-7);
}

#if CTLM_EXCEPTIONS
TEST_CASE("a trainer refuses what it cannot use, in words", "[train]") {
  using T = trainer<causal_lm<tiny_gpt2>, recipe>;
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  auto tokens = random_tokens(T::step_tokens, 61), targets = tokens;
  CHECK_THROWS_WITH(t.step(span<const token>(tokens).first(3), targets),
                    Catch::Contains("accumulate * batch * sequence"));
  targets[5] = 61;
  CHECK_THROWS_WITH(t.step(tokens, targets), Catch::Contains("target 61 is outside the vocabulary of 61"));
  targets[5] = 0;
  tokens[7] = -1;
  CHECK_THROWS_WITH(t.step(tokens, targets), Catch::Contains("token -1 is outside the vocabulary of 61"));
  heap_arena small(T::train_bytes / 2);
  CHECK_THROWS_WITH(T(small, {}), Catch::Contains("arena is too small"));
}
#endif
