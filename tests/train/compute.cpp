// Training with products in 16 bits, compute<bf16>, beside training in single precision.
#include "catch.hpp"

#include "../model/models.hpp"
#include "runs.hpp"
#include "worse.hpp"

#include <ctlm/train/adapters.hpp>

#include <cmath>
#include <cstring>

using namespace ctlm;
using namespace models;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 3, .sequence = 32, .accumulate = 2};
};
/// Wide enough that every product is shared among threads.
struct wide {
  static constexpr llama_config config{
      .vocab = 300, .d_model = 96, .layers = 2, .heads = 6, .kv_heads = 3, .d_ff = 200, .context = 32};
};

template <class Model, class... Slots>
using exact = trainer<Model, recipe, Slots...>;
template <class Model, class... Slots>
using in_16_bits = trainer<Model, recipe, compute<bf16>, Slots...>;

template <class T>
float one_step(T& t, std::uint64_t seed, std::size_t vocab) {
  const auto tokens = random_tokens(T::step_tokens + 1, vocab, seed);
  const span<const token> all = tokens;
  return t.step(all.first(T::step_tokens), all.subspan(1)).loss;
}

/// The distance of two sets of gradients, over the length of the first.
template <class G>
double away(const G& exact_ones, const G& others) {
  double apart = 0, length = 0;
  for (const tensor_info& t : G::tensors) {
    const auto x = exact_ones.numbers(t), y = others.numbers(t);
    for (std::size_t i = 0; i < x.size(); ++i) {
      apart += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2);
      length += std::pow(static_cast<double>(x[i]), 2);
    }
  }
  return std::sqrt(apart / length);
}

template <class Model>
double gradients_away() {
  using plain = exact<Model>;
  using rounding = in_16_bits<Model>;
  heap_arena a(plain::train_bytes), b(rounding::train_bytes);
  plain p(a, {});
  rounding r(b, {});
  const auto tokens = random_tokens(plain::batch_tokens + 1, Model::shape.vocab, 3);
  const span<const token> all = tokens;
  const double expected = p.forward_backward(all.first(plain::batch_tokens), all.subspan(1));
  const double loss = r.forward_backward(all.first(plain::batch_tokens), all.subspan(1));
  CHECK(std::fabs(loss - expected) < 1e-3 * expected);
  CHECK(loss != expected);
  return away(p.gradients(), r.gradients());
}

}  // namespace

// Each operand is off by at most 2^-9 of itself, and their errors add up at random through a few layers.
TEST_CASE("gradients in 16 bits are those of single precision, but for rounding", "[train]") {
  for (const double found : {gradients_away<causal_lm<wide>>(), gradients_away<causal_lm<tiny_gpt2>>(),
                             gradients_away<causal_lm<tiny_llama>>()}) {
    CHECK(found < 0.01);
    CHECK(found > 1e-4);
  }
}

TEST_CASE("1, 2 and 3 threads give the same bits in 16 bits", "[train][threads]") {
  using T = in_16_bits<causal_lm<wide, threads<pool<3>>>>;
  std::vector<float> losses;
  std::vector<std::byte> weights;
  for (std::size_t n : {1, 2, 3}) {
    pool<3> workers(n);
    heap_arena memory(T::train_bytes);
    T t(memory, {.dropout = 0.1f}, workers);
    std::vector<float> found;
    for (std::uint64_t s = 0; s < 4; ++s) found.push_back(one_step(t, s, 300));
    const auto bytes = t.weights().bytes();
    const std::vector<std::byte> w(bytes.begin(), bytes.end());
    if (n == 1) losses = found, weights = w;
    CHECK(found == losses);
    CHECK((w == weights));
  }
}

TEST_CASE("a model learns in 16 bits as fast as in single precision", "[train]") {
  using plain = exact<causal_lm<tiny_gpt2>>;
  using rounding = in_16_bits<causal_lm<tiny_gpt2>>;
  heap_arena a(plain::train_bytes), b(rounding::train_bytes);
  plain p(a, {.optimizer = {.lr = 3e-3f}});
  rounding r(b, {.optimizer = {.lr = 3e-3f}});
  float first = 0, expected = 0, found = 0;
  for (int i = 0; i < 150; ++i) {
    expected = one_step(p, 7, 61);
    found = one_step(r, 7, 61);
    if (i == 0) first = found;
  }
  CHECK(first > 4);
  CHECK(expected < 1);
  CHECK(std::fabs(found - expected) < 0.05f);
  CHECK(r.skipped_steps() == 0);
}

TEMPLATE_TEST_CASE("training in 16 bits resumes to the bit", "[train]", adamw, muon) {
  using T = in_16_bits<causal_lm<tiny_llama>, optimizer<TestType>>;
  heap_arena a(T::train_bytes), b(T::train_bytes);
  T through(a, {.dropout = 0.2f}), resumed(b, {.dropout = 0.2f});
  for (std::uint64_t s = 0; s < 3; ++s) one_step(through, s, 61);
  REQUIRE(runs::put_state(resumed, runs::state_of(through)));
  for (std::uint64_t s = 3; s < 6; ++s) CHECK(one_step(through, s, 61) == one_step(resumed, s, 61));
  const auto x = through.weights().bytes(), y = resumed.weights().bytes();
  CHECK(std::memcmp(x.data(), y.data(), x.size()) == 0);
}

TEST_CASE("a trainer in 16 bits fills its arena to the last byte", "[train]") {
  using T = in_16_bits<causal_lm<wide>, recompute<1>>;
  heap_arena memory(T::train_bytes), less(T::train_bytes - 64);
  T t(memory, {});
  CHECK(memory.remaining() == 0);
  CHECK(one_step(t, 1, 300) > 0);
  CHECK_THROWS_AS(T(less, {}), error);
}

TEST_CASE("adapters learn in 16 bits over bases in any format", "[train]") {
  auto losses = []<class F>(F, auto... slots) {
    using lm = causal_lm<tiny_llama, weights<F>>;
    using T = trainer<lm, recipe, train_only<lora<4>>, decltype(slots)...>;
    heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes);
    typename lm::weights base(base_memory);
    randomise<lm>(base, 0.1);
    T t(base, memory, {.optimizer = {.lr = 1e-2f}});
    std::vector<float> found;
    for (int i = 0; i < 40; ++i) found.push_back(one_step(t, 5, 61));
    return found;
  };
  auto compare = [&](auto format) {
    const auto expected = losses(format), found = losses(format, compute<bf16>{});
    CHECK(std::fabs(found[0] - expected[0]) < 0.01f);
    CHECK(found[0] != expected[0]);
    CHECK(expected.back() < expected[0] - 0.3f);
    CHECK(std::fabs(found.back() - expected.back()) < 0.05f);
  };
  compare(f32{});
  compare(bf16{});
  compare(int4<8>{});
}
