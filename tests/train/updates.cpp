// The end of a step: optimizers of whole matrices inside a trainer, groups of weights, and what is done to gradients.
#include "catch.hpp"

#include "../model/models.hpp"
#include "runs.hpp"
#include "worse.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>

using namespace ctlm;
using namespace models;
using namespace runs;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 16};
};

#if CTLM_FEW_KINDS  // the others go the same ways
using shared_optimizers = std::tuple<adafactor, muon, adam8>;
using grouped_optimizers = std::tuple<muon>;
#else
using shared_optimizers = std::tuple<adafactor, muon, adam8, lion, centered_rmsprop>;
using grouped_optimizers = std::tuple<adamw, muon>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("optimizers of whole matrices: the same bits for 1 and 4 threads, and after resuming",
                        "[train][threads]", shared_optimizers) {
  using alone = trainer<causal_lm<wide>, recipe, optimizer<TestType>>;
  using shared = trainer<causal_lm<wide, threads<pool<4>>>, recipe, optimizer<TestType>>;
  heap_arena first(alone::train_bytes), second(shared::train_bytes), third(alone::train_bytes);
  pool<4> workers(4);
  alone a(first, {}), resumed(third, {});
  shared b(second, {}, workers);
  CHECK(first.remaining() == 0);
  const auto before = numbers_of<typename alone::model>(a.weights());
  for (std::uint64_t s = 1; s <= 3; ++s) {
    CHECK(one_step(a, s).loss == one_step(b, s).loss);
  }
  CHECK(numbers_of<typename alone::model>(a.weights()) == numbers_of<typename shared::model>(b.weights()));
  CHECK(numbers_of<typename alone::model>(a.weights()) != before);
  const auto saved = state_of(a);
  std::size_t i = 0;
  resumed.for_each_state([&](const char*, void* data, std::size_t bytes) {
    REQUIRE(saved[i].size() == bytes);
    std::memcpy(data, saved[i++].data(), bytes);
  });
  CHECK(one_step(a, 9).loss == one_step(resumed, 9).loss);
  CHECK(state_of(a) == state_of(resumed));
}

TEST_CASE("what state takes: moments in a byte a quarter, factors next to nothing", "[train]") {
  using M = causal_lm<wide>;
  constexpr std::size_t adamw_bytes = trainer<M, recipe>::state_bytes;
  using eight = trainer<M, recipe, optimizer<adam8>>;
  using factors = trainer<M, recipe, optimizer<adafactor>>;
  using matrices = trainer<M, recipe, optimizer<muon>>;
  CHECK(adamw_bytes == 2 * M::weight_bytes);
  CHECK(eight::state_bytes < adamw_bytes * 27 / 100);  // 8 bytes for each block of 256 weights, gains in full
  CHECK(factors::state_bytes < adamw_bytes / 30);
  CHECK(matrices::state_bytes > adamw_bytes / 2);
  CHECK(matrices::state_bytes < adamw_bytes * 3 / 4);
  CHECK(eight::train_bytes - factors::train_bytes < eight::state_bytes);
  heap_arena memory(matrices::train_bytes - matrices::state_bytes), state(matrices::state_bytes);
  matrices t(memory, state, {});
  one_step(t);
  CHECK(memory.remaining() == 0);
  CHECK(state.remaining() == 0);
}

#if !CTLM_FEW_KINDS  // the same ways as above, at the cost of a compiler's time
TEMPLATE_TEST_CASE("optimizers of whole matrices learn a sequence", "[train]", adafactor, muon, adam8) {
  using T = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<TestType>>;
  heap_arena memory(T::train_bytes);
  typename T::options o{};
  if constexpr (std::same_as<TestType, adafactor>) o.optimizer.lr = 5e-2f;
  if constexpr (std::same_as<TestType, adam8>) o.optimizer.lr = 5e-3f;
  if constexpr (std::same_as<TestType, muon>) {
    o.optimizer.lr = 2e-2f;
    o.optimizer.others.lr = 5e-3f;
  }
  T t(memory, o);
  std::vector<token> tokens(T::step_tokens), targets(T::step_tokens);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<token>(i * i % 17);
    targets[i] = static_cast<token>((i + 1) * (i + 1) % 17);
  }
  const float first = t.step(tokens, targets).loss;
  float last = first;
  for (int i = 0; i < 150; ++i) last = t.step(tokens, targets).loss;
  CHECK(first > 3.5f);
  CHECK(last < 0.4f);
}
#endif

TEMPLATE_LIST_TEST_CASE("groups: rates and decay of their own, by name, by role and by layer", "[train]",
                        grouped_optimizers) {
  using M = causal_lm<tiny_gpt2, weights<f64>>;
  using plain = trainer<M, recipe, optimizer<TestType>>;
  using grouped = trainer<M, recipe, optimizer<TestType>,
                          groups<tensors::embedding, tensors::gains, tensors::both<tensors::up, tensors::layers<1>>>>;
  heap_arena a(plain::train_bytes), b(grouped::train_bytes), c(plain::train_bytes);
  CHECK(plain::train_bytes == grouped::train_bytes);
  constexpr float lr = 1e-2f;
  plain usual(a, {.optimizer = {.lr = lr, .weight_decay = 0.5f}});
  plain bare(c, {.optimizer = {.lr = lr, .weight_decay = 0}});
  grouped t(b, {.optimizer = {.lr = lr, .weight_decay = 0.5f}, .groups = {{.rate = 0.5f}, {.rate = 0}, {.decay = 0}}});
  const auto before = numbers_of<M>(usual.weights());
  one_step(usual), one_step(t), one_step(bare);
  const auto ordinary = numbers_of<M>(usual.weights()), own = numbers_of<M>(t.weights()),
             undecayed = numbers_of<M>(bare.weights());
  std::size_t i = 0, seen[4]{};
  for (const tensor_info& info : M::tensors)
    for (std::size_t layer = 0; layer < info.layers; ++layer)
      for (std::size_t j = 0; j < info.rows * info.cols; ++j, ++i) {
        if (info.id == tensor_id::token_embedding) {  // the first step of Adam is linear in the rate
          REQUIRE(own[i] - before[i] == Approx((ordinary[i] - before[i]) / 2).epsilon(1e-9).margin(1e-15));
          ++seen[0];
        } else if (info.role == tensor_role::gain) {
          REQUIRE(own[i] == before[i]);
          ++seen[1];
        } else if (info.id == tensor_id::up_weight && layer == 1) {
          REQUIRE(own[i] == undecayed[i]);
          ++seen[2];
        } else {
          REQUIRE(own[i] == ordinary[i]);
          ++seen[3];
        }
      }
  for (std::size_t n : seen) CHECK(n > 0);
}

TEST_CASE("gradients clipped by value are as PyTorch's clamp leaves them", "[train]") {
  using M = causal_lm<tiny_gpt2>;
  using plain = trainer<M, recipe>;
  using T = trainer<M, recipe, clip<clip_by_value>>;
  heap_arena a(plain::train_bytes), b(T::train_bytes);
  plain usual(a, {});
  T t(b, {.clip_norm = 0, .clip = {.value = 1e-3f}});
  const step_result x = one_step(usual), y = one_step(t);
  CHECK(x.gradient_norm == y.gradient_norm);  // that of before
  const auto before = numbers_of<M>(usual.gradients()), after = numbers_of<M>(t.gradients());
  std::size_t cut = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    REQUIRE(after[i] == std::min(1e-3f, std::max(-1e-3f, before[i])));
    cut += after[i] != before[i];
  }
  CHECK(cut > 100);
  CHECK(cut < before.size());
}

TEST_CASE("normalised gradients: all together, and of each tensor", "[train]") {
  using M = causal_lm<tiny_gpt2, weights<f64>>;
  const auto norm = [](span<const double> g) {
    double n = 0;
    for (double v : g) n += v * v;
    return std::sqrt(n);
  };
  using together = trainer<M, recipe, clip<normalise_all>>;
  using apart = trainer<M, recipe, clip<normalise_tensors>>;
  heap_arena a(together::train_bytes), b(apart::train_bytes);
  together t(a, {.clip_norm = 0});
  apart s(b, {.clip_norm = 0});
  const double raw = static_cast<double>(one_step(t).gradient_norm);
  one_step(s);
  CHECK(raw != Approx(1).margin(0.05));
  CHECK(norm(numbers_of<M>(t.gradients())) == Approx(1).epsilon(1e-12));
  for (const tensor_info& info : M::tensors)
    for (std::size_t layer = 0; layer < info.layers; ++layer) {
      const std::size_t n = info.rows * info.cols;
      CHECK(norm(span<const double>(s.gradients().numbers(info)).subspan(layer * n, n)) == Approx(1).epsilon(1e-12));
    }
}

TEST_CASE("steps that are not finite are counted, and change neither weights nor state", "[train]") {
  using T = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<muon>, clip<clip_by_value>>;
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  float* gain = nullptr;
  t.start_from([&](const auto& w) { gain = w.vector_of(tensor_id::norm_weight); });
  CHECK_FALSE(one_step(t).skipped);
  CHECK(t.skipped_steps() == 0);
  const float good = gain[0];
  gain[0] = std::numeric_limits<float>::infinity();
  auto before = state_of(t);
  CHECK(one_step(t, 2).skipped);
  CHECK(one_step(t, 3).skipped);
  CHECK(t.skipped_steps() == 2);
  CHECK(t.steps() == 3);
  auto after = state_of(t);
  before.pop_back(), after.pop_back();  // the number of steps
  CHECK(before == after);
  gain[0] = good;
  CHECK_FALSE(one_step(t, 4).skipped);
  CHECK(t.skipped_steps() == 2);
}

#if CTLM_EXCEPTIONS
TEST_CASE("a trainer refuses options of groups, clipping and optimizers, in words", "[train]") {
  const auto refuses = []<class T>(const typename T::options& o, const char* words, T*) {
    heap_arena memory(T::train_bytes);
    CHECK_THROWS_WITH(T(memory, o), Catch::Contains(words));
  };
  using M = causal_lm<tiny_gpt2>;
  refuses({.groups = {{.rate = -1}}}, "groups.rate must be a finite number of at least 0",
          static_cast<trainer<M, recipe, groups<tensors::embedding>>*>(nullptr));
  refuses({.clip = {.value = 0}}, "clip.value must be a finite number above 0",
          static_cast<trainer<M, recipe, clip<clip_by_value>>*>(nullptr));
  refuses({.optimizer = {.dampening = 0.5f, .nesterov = true}},
          "optimizer.nesterov needs a momentum above 0 and a dampening of 0",
          static_cast<trainer<M, recipe, optimizer<sgd>>*>(nullptr));
  refuses({.optimizer = {.beta2_decay = 0.5f}}, "optimizer.beta2_decay must be a number of at most 0",
          static_cast<trainer<M, recipe, optimizer<adafactor>>*>(nullptr));
}
#endif
