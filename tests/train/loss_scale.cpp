// Training in half precision, compute<f16> and activations<f16>: how the loss is scaled, what is skipped, and what is
// learned beside single precision.
#include "catch.hpp"

#include "runs.hpp"
#include "sixteen_bits.hpp"

#include <ctlm/io/checkpoint.hpp>
#include <ctlm/train/adapters.hpp>
#include <ctlm/train/heads.hpp>
#include <ctlm/train/progressive.hpp>

#include <cmath>
#include <cstring>
#include <string>

using namespace ctlm;
using namespace models;
using namespace sixteen_bits;

namespace {

template <class Model, class... Slots>
using exact = trainer<Model, recipe, Slots...>;
template <class Model, class... Slots>
using in_half = trainer<Model, recipe, compute<f16>, Slots...>;
using small = causal_lm<tiny_gpt2>;

/// Weights and optimizer state: what a step that was skipped leaves as it was.
template <class T>
std::vector<std::byte> learned_by(T& t) {
  std::vector<std::byte> found;
  t.for_each_state([&](const char* name, void* data, std::size_t bytes) {
    if (std::strcmp(name, "step") == 0 || std::strcmp(name, "loss scale") == 0) return;
    const auto* p = static_cast<const std::byte*>(data);
    found.insert(found.end(), p, p + bytes);
  });
  return found;
}
#if CTLM_EXCEPTIONS
std::string error_of(auto&& f) {
  try {
    f();
  } catch (const ctlm::error& e) {
    return e.what();
  }
  return "";
}
#endif

}  // namespace

// Each operand is off by at most 2^-12 of itself, an eighth of what bf16 is off by. Without a scale, gradients of rows,
// which are some 1e-5 here, have lost most of their bits.
TEST_CASE("gradients in half precision are those of single precision, but for rounding", "[train]") {
  auto compare = []<class Model>(std::type_identity<Model>) {
    const found single = gradients_with<exact<Model>>();
    const found halves = gradients_with<in_half<Model>>();
    const found bfloats = gradients_with<exact<Model, compute<bf16>>>();
    CHECK(halves.loss != single.loss);
    CHECK(std::fabs(halves.loss - single.loss) < 2e-4 * single.loss);
    CHECK(away(single, halves) < 0.0015);
    CHECK(away(single, halves) > 1e-5);
    CHECK(away(single, halves) < away(single, bfloats) / 4);
    typename in_half<Model>::options unscaled{.seed = 5};
    unscaled.scaling.start = 0x1p-12f;
    CHECK(away(single, gradients_with<in_half<Model>>(unscaled)) > 0.05);
  };
  compare(std::type_identity<causal_lm<wide>>{});
  compare(std::type_identity<causal_lm<wide_gpt2>>{});
  compare(std::type_identity<causal_lm<small_experts<3, 4>>>{});
  compare(std::type_identity<causal_lm<wide, backend<portable>>>{});
}

TEST_CASE("activations in half precision move gradients by their rounding alone", "[train]") {
  auto compare = []<class Model, class... Slots>(std::type_identity<Model>, Slots...) {
    const found single = gradients_with<exact<Model, Slots...>>();
    const found halves = gradients_with<exact<Model, activations<f16>, Slots...>>();
    const found bfloats = gradients_with<exact<Model, activations<bf16>, Slots...>>();
    CHECK(halves.loss == single.loss);
    CHECK(away(single, halves) < 0.0008);
    CHECK(away(single, halves) > 1e-5);
    CHECK(away(single, halves) < away(single, bfloats) / 4);
    CHECK(exact<Model, activations<f16>, Slots...>::train_bytes ==
          exact<Model, activations<bf16>, Slots...>::train_bytes);
  };
  compare(std::type_identity<causal_lm<wide>>{});
  compare(std::type_identity<causal_lm<wide_gpt2>>{}, compute<f16>{});
  compare(std::type_identity<causal_lm<wide, backend<portable>>>{});
}

TEST_CASE("a scale changes no bit of gradients that half precision holds with and without it", "[train]") {
  using T = in_half<small>;
  const found usual = gradients_with<T>({.seed = 5, .scaling = {.start = 4096}});
  const found larger = gradients_with<T>({.seed = 5, .scaling = {.start = 8192}});
  CHECK(usual.loss == larger.loss);
  CHECK(away(usual, larger) < 1e-4);  // small gradients keep more bits with the larger one
}

TEST_CASE("a step that overflows is skipped, and halves the scale until one does not", "[train]") {
  auto overflow = []<class T>(std::type_identity<T>) {
    heap_arena memory(T::train_bytes);
    T t(memory, {.scaling = {.start = 0x1p28f}});
    const auto before = learned_by(t);
    float expected = 0x1p28f;
    std::size_t skipped = 0;
    for (std::uint64_t s = 0; s < 40; ++s) {
      CHECK(t.loss_scale() == expected);
      const scaled_step_result r = one_step(t, s);
      CHECK(r.loss_scale == expected);
      CHECK(r.step == s);
      CHECK(std::isfinite(r.loss));
      if (!r.skipped) break;
      CHECK_FALSE(std::isfinite(r.gradient_norm));
      CHECK(t.skipped_steps() == ++skipped);
      CHECK((learned_by(t) == before));
      expected /= 2;
    }
    CHECK(skipped > 3);
    CHECK(skipped < 25);
    CHECK(t.steps() == skipped + 1);
    CHECK(t.loss_scale() == expected);
    CHECK((learned_by(t) != before));
    CHECK_FALSE(one_step(t, 50).skipped);
  };
  overflow(std::type_identity<in_half<small>>{});
  overflow(std::type_identity<in_half<causal_lm<wide>, activations<f16>, recompute<2>>>{});
  overflow(std::type_identity<in_half<causal_lm<wide>, optimizer<muon>, activations<bf16>>>{});
}

TEST_CASE("a scale grows after so many steps in a row, and counts again after one that was skipped", "[train]") {
  using T = in_half<small>;
  heap_arena memory(T::train_bytes);
  T t(memory, {.scaling = {.start = 1024, .growth = 4, .backoff = 0.25f, .interval = 3}});
  float* gain = nullptr;
  t.start_from([&](const auto& w) { gain = w.vector_of(tensor_id::norm_weight); });
  for (const float expected : {1024.0f, 1024.0f, 1024.0f, 4096.0f, 4096.0f})
    CHECK(one_step(t, 1).loss_scale == expected);
  const float good = gain[0];
  gain[0] = 1e6f;  // beyond what half precision holds
  const auto r = one_step(t, 1);
  CHECK(r.skipped);
  CHECK(r.loss_scale == 4096);
  gain[0] = good;
  for (const float expected : {1024.0f, 1024.0f, 1024.0f, 4096.0f, 4096.0f, 4096.0f})
    CHECK(one_step(t, 1).loss_scale == expected);
  CHECK(t.loss_scale() == 16384);
  CHECK(t.skipped_steps() == 1);
}

TEST_CASE("activations beyond half precision skip a step, and nothing is scaled for them", "[train]") {
  auto skips = []<class T>(std::type_identity<T>) {
    static_assert(!T::scales_loss);
    heap_arena memory(T::train_bytes);
    T t(memory, {});
    t.start_from([&](const auto& w) { w.vector_of(tensor_id::up_bias, 1)[0] = 1e5f; });
    const auto before = learned_by(t);
    const step_result r = one_step(t, 1);
    CHECK(std::isfinite(r.loss));
    CHECK((learned_by(t) == before) == r.skipped);
    CHECK(t.skipped_steps() == r.skipped);
    return r.skipped;
  };
  CHECK(skips(std::type_identity<exact<small, activations<f16>>>{}));
  CHECK_FALSE(skips(std::type_identity<exact<small, activations<bf16>>>{}));
  CHECK_FALSE(skips(std::type_identity<exact<small>>{}));
}

TEST_CASE("a scale stays between 2^-32 and 2^32", "[train]") {
  loss_scale s{};
  const loss_scaling o{.start = 0x1p31f, .growth = 8, .backoff = 0x1p-20f, .interval = 1};
  s.begin(o);
  s.follow(o, true);
  CHECK(s.value == 0x1p32f);
  for (int i = 0; i < 4; ++i) s.follow(o, false);
  CHECK(s.value == 0x1p-32f);
  CHECK(s.skipped == 4);
}

// Steps that found the scale are none of the optimizer's: what follows is to the bit what would have been without them.
TEST_CASE("steps that were skipped leave no trace in those that follow", "[train]") {
  using T = in_half<small>;
  heap_arena a(T::train_bytes), b(T::train_bytes);
  T found_it(a, {.scaling = {.start = 0x1p26f}});
  while (one_step(found_it, 1).skipped) {
  }
  REQUIRE(found_it.skipped_steps() > 2);
  const float scale = found_it.loss_scale();
  T knew_it(b, {.scaling = {.start = scale}});
  one_step(knew_it, 1);
  for (std::uint64_t s = 2; s < 5; ++s) CHECK(one_step(found_it, s).loss == one_step(knew_it, s).loss);
  CHECK((learned_by(found_it) == learned_by(knew_it)));
  CHECK(knew_it.skipped_steps() == 0);
}

TEST_CASE("layers that are computed again leave the same bits in half precision", "[train]") {
  auto weights_with = []<class T>(std::type_identity<T>) {
    heap_arena memory(T::train_bytes);
    T t(memory, {.dropout = 0.1f});
    CHECK(memory.remaining() == 0);
    for (std::uint64_t s = 0; s < 2; ++s) CHECK_FALSE(one_step(t, s).skipped);
    return bytes_of(t);
  };
  using model = causal_lm<wide>;
  CHECK((weights_with(std::type_identity<in_half<model>>{}) ==
         weights_with(std::type_identity<in_half<model, recompute<2>>>{})));
  CHECK((weights_with(std::type_identity<in_half<model, activations<f16>>>{}) ==
         weights_with(std::type_identity<in_half<model, activations<f16>, recompute<3>>>{})));
}

TEST_CASE("a model learns in half precision as fast as in single precision", "[train]") {
  auto losses = []<class T>(std::type_identity<T>) {
    heap_arena memory(T::train_bytes);
    T t(memory, {.optimizer = {.lr = 3e-3f}});
    std::vector<float> found;
    for (int i = 0; i < 150; ++i) found.push_back(one_step(t, 7).loss);
    CHECK(t.skipped_steps() == 0);
    return found;
  };
  const auto expected = losses(std::type_identity<exact<small>>{});
  CHECK(expected.front() > 4);
  CHECK(expected.back() < 1);
  for (const auto& found :
       {losses(std::type_identity<in_half<small>>{}), losses(std::type_identity<in_half<small, activations<f16>>>{})}) {
    CHECK(found != expected);
    CHECK(std::fabs(found.back() - expected.back()) < 0.01f);
  }
}

TEMPLATE_TEST_CASE("training in half precision resumes to the bit, scale and all", "[train]", adamw, muon) {
  using T = in_half<causal_lm<tiny_llama>, optimizer<TestType>, activations<f16>>;
  typename T::options o{.dropout = 0.2f, .scaling = {.start = 0x1p24f, .interval = 5}};
  heap_arena a(T::train_bytes), b(T::train_bytes);
  T through(a, o);
  o.scaling.start = 1;  // what a checkpoint replaces
  T resumed(b, o);
  for (std::uint64_t s = 0; s < 15; ++s) one_step(through, s);
  REQUIRE(through.skipped_steps() > 0);
  REQUIRE(through.skipped_steps() < 12);
  std::vector<std::byte> saved;
  REQUIRE(put_checkpoint(through, {}, [&](const void* data, std::size_t n) {
    const auto* p = static_cast<const std::byte*>(data);
    saved.insert(saved.end(), p, p + n);
  }));
  REQUIRE(take_checkpoint(saved, resumed, {}));
  CHECK(resumed.skipped_steps() == through.skipped_steps());
  CHECK(resumed.loss_scale() == through.loss_scale());
  for (std::uint64_t s = 15; s < 27; ++s) {
    const auto x = one_step(through, s), y = one_step(resumed, s);
    CHECK(x.loss == y.loss);
    CHECK(x.loss_scale == y.loss_scale);
    CHECK(x.skipped == y.skipped);
  }
  CHECK((runs::state_of(through) == runs::state_of(resumed)));
}

TEST_CASE("a checkpoint of single precision has no scale, and is refused in words", "[train]") {
  heap_arena a(exact<small>::train_bytes), b(in_half<small>::train_bytes);
  exact<small> single(a, {});
  in_half<small> halves(b, {});
  std::vector<std::byte> saved;
  REQUIRE(put_checkpoint(single, {}, [&](const void* data, std::size_t n) {
    const auto* p = static_cast<const std::byte*>(data);
    saved.insert(saved.end(), p, p + n);
  }));
  const auto r = take_checkpoint(saved, halves, {});
  REQUIRE_FALSE(r);
  CHECK(r.error().code == errc::wrong_model);
  CHECK(std::string(r.error().name) == "loss scale");
}

TEST_CASE("adapters, heads, integers and factors learn in half precision", "[train]") {
  SECTION("adapters over a base in four bits") {
    using lm = causal_lm<tiny_llama, weights<int4<8>>>;
    auto last = []<class... Slots>(Slots...) {
      using T = trainer<lm, recipe, train_only<lora<4>>, Slots...>;
      heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes);
      typename lm::weights base(base_memory);
      randomise<lm>(base, 0.1);
      T t(base, memory, {.optimizer = {.lr = 1e-2f}});
      float first = 0, loss = 0;
      for (int i = 0; i < 40; ++i) {
        loss = one_step(t, 5).loss;
        if (i == 0) first = loss;
      }
      CHECK(t.skipped_steps() == 0);
      CHECK(loss < first - 0.3f);
      return loss;
    };
    CHECK(std::fabs(last(compute<f16>{}, activations<f16>{}) - last()) < 0.01f);
  }
  SECTION("a head") {
    auto gradients = []<class... Slots>(Slots...) {
      using T = trainer<causal_lm<wide>, recipe, head<classification<3>>, Slots...>;
      heap_arena memory(T::train_bytes);
      T t(memory, {.seed = 5});
      const auto tokens = random_tokens(T::batch_tokens, T::shape.vocab, 3);
      const typename T::target classes[] = {2, 0, 1};
      const double loss = t.forward_backward(tokens, classes);
      return found{loss, numbers_of(t.gradients())};
    };
    const found single = gradients(), halves = gradients(compute<f16>{});
    CHECK(away(single, halves) < 0.002);
    CHECK(away(single, halves) > 1e-5);
  }
  SECTION("weights for fewer bits") {
    using target = trained_for<int4<32>>;
    const found single = gradients_with<exact<causal_lm<wide>, target>>();
    const found halves = gradients_with<in_half<causal_lm<wide>, target>>();
    CHECK(away(single, halves) < 0.002);
    CHECK(away(single, halves) > 1e-5);
  }
}

// What a scale is goes on where a model of whole matrices becomes one of factors.
TEST_CASE("a progressive run keeps its scale and its count when it is factored", "[train]") {
  using T = progressive_trainer<causal_lm<tiny_gpt2, factored<8>>, recipe, compute<f16>>;
  heap_arena memory(T::train_bytes);
  T t(memory, {.scaling = {.start = 0x1p26f}}, {});
  const auto scale = [&] { return t.visit([](auto& x) { return std::pair(x.loss_scale(), x.skipped_steps()); }); };
  while (t.step(random_tokens(T::step_tokens, 61, 1), random_tokens(T::step_tokens, 61, 2)).skipped) {
  }
  const auto before = scale();
  CHECK(before.second > 2);
  t.factorise();
  CHECK(scale() == before);
  CHECK_FALSE(t.step(random_tokens(T::step_tokens, 61, 1), random_tokens(T::step_tokens, 61, 2)).skipped);
}

#if CTLM_EXCEPTIONS
TEST_CASE("factors that are no powers of two are refused by name", "[train]") {
  using T = in_half<small>;
  auto error_with = [](const loss_scaling& scaling) {
    return error_of([&] {
      heap_arena memory(T::train_bytes);
      T t(memory, {.scaling = scaling});
    });
  };
  CHECK(error_with({}).empty());
  CHECK(error_with({.start = 0x1p-32f, .growth = 1, .backoff = 1, .interval = 1}).empty());
  const float none = std::numeric_limits<float>::quiet_NaN();
  for (const float x : {0.0f, -2.0f, 3.0f, 0x1p33f, 0x1p-33f, none}) {
    CHECK(error_with({.start = x}) == "ctlm: scaling.start must be a power of two from 2^-32 to 2^32");
    CHECK(error_with({.growth = x}) == "ctlm: scaling.growth must be a power of two of at least 1");
    CHECK(error_with({.backoff = x}) == "ctlm: scaling.backoff must be a power of two of at most 1");
  }
  CHECK(error_with({.growth = 0.5f}) == "ctlm: scaling.growth must be a power of two of at least 1");
  CHECK(error_with({.backoff = 2}) == "ctlm: scaling.backoff must be a power of two of at most 1");
  CHECK(error_with({.interval = 0}) == "ctlm: scaling.interval must be at least 1 step, not 0");
}
#endif
