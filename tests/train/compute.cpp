// Training with products in 16 bits, compute<bf16>, beside training in single precision.
#include "catch.hpp"

#include "runs.hpp"
#include "sixteen_bits.hpp"
#include "worse.hpp"

#include <ctlm/train/adapters.hpp>

#include <cmath>
#include <cstring>

using namespace ctlm;
using namespace models;
using namespace sixteen_bits;

namespace {

template <class Model, class... Slots>
using exact = trainer<Model, recipe, Slots...>;
template <class Model, class... Slots>
using in_16_bits = trainer<Model, recipe, compute<bf16>, Slots...>;

/// How far gradients in 16 bits are from those of single precision.
template <class Model>
double gradients_away() {
  const found expected = gradients_with<exact<Model>>(), rounding = gradients_with<in_16_bits<Model>>();
  CHECK(std::fabs(rounding.loss - expected.loss) < 1e-3 * expected.loss);
  CHECK(rounding.loss != expected.loss);
  return away(expected, rounding);
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

TEST_CASE("a model learns in 16 bits as fast as in single precision", "[train]") {
  using plain = exact<causal_lm<tiny_gpt2>>;
  using rounding = in_16_bits<causal_lm<tiny_gpt2>>;
  heap_arena a(plain::train_bytes), b(rounding::train_bytes);
  plain p(a, {.optimizer = {.lr = 3e-3f}});
  rounding r(b, {.optimizer = {.lr = 3e-3f}});
  float first = 0, expected = 0, found = 0;
  for (int i = 0; i < 150; ++i) {
    expected = one_step(p, 7).loss;
    found = one_step(r, 7).loss;
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
  for (std::uint64_t s = 0; s < 3; ++s) one_step(through, s);
  REQUIRE(runs::put_state(resumed, runs::state_of(through)));
  for (std::uint64_t s = 3; s < 6; ++s) CHECK(one_step(through, s).loss == one_step(resumed, s).loss);
  const auto x = through.weights().bytes(), y = resumed.weights().bytes();
  CHECK(std::memcmp(x.data(), y.data(), x.size()) == 0);
}

TEST_CASE("a trainer in 16 bits fills its arena to the last byte", "[train]") {
  using T = in_16_bits<causal_lm<wide>, recompute<1>>;
  heap_arena memory(T::train_bytes), less(T::train_bytes - 64);
  T t(memory, {});
  CHECK(memory.remaining() == 0);
  CHECK(one_step(t, 1).loss > 0);
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
    for (int i = 0; i < 40; ++i) found.push_back(one_step(t, 5).loss);
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
  compare(f8_e4m3{});
  compare(int4<8>{});
}
