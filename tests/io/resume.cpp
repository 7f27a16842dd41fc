// A trainer's checkpoint: stopped and resumed equals never stopped, to the bit; other models and recipes are refused.
#include "catch.hpp"

#include "../model/models.hpp"

#include <cstdio>
#include <cstring>

using namespace ctlm;
using namespace models;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 16, .accumulate = 2};
};
using trained = trainer<causal_lm<tiny_llama>, recipe, optimizer<adamw>, schedule<warmup_cosine>>;

constexpr const char* path = "resume_test.ctlm";

/// A trainer with its place in the data: what a run consists of.
template <class T>
struct run {
  heap_arena memory{T::train_bytes};
  T t;
  std::vector<token> text = random_tokens(500, 61);
  batch_sampler batches{text, T::sequence, 9};

  explicit run(std::uint64_t seed = 1) : t(memory, {.seed = seed, .dropout = 0.1f}) {}

  std::vector<float> steps(int n) {
    std::vector<token> inputs(T::step_tokens), targets(T::step_tokens);
    std::vector<float> losses;
    for (int i = 0; i < n; ++i) {
      batches.next(inputs, targets);
      losses.push_back(t.step(inputs, targets).loss);
    }
    return losses;
  }
  std::vector<checkpoint_section> extra() { return {{"data", &batches.position, sizeof batches.position}}; }
  result<void> save() { return save_checkpoint(path, t, extra()); }
  result<void> load() { return load_checkpoint(path, t, extra()); }
  std::vector<std::byte> weights() const {
    const auto b = t.weights().bytes();
    return {b.begin(), b.end()};
  }
};

}  // namespace

TEST_CASE("a run resumed from its checkpoint equals one that never stopped", "[io]") {
  run<trained> through, stopped;
  CHECK(through.steps(3) == stopped.steps(3));
  REQUIRE(stopped.save());
  const auto expected = through.steps(4);
  run<trained> resumed;
  resumed.steps(1);  // what it did before does not matter
  REQUIRE(resumed.load());
  CHECK(resumed.t.steps() == 3);
  CHECK(resumed.steps(4) == expected);
  CHECK(resumed.weights() == through.weights());
  std::remove(path);
}

TEST_CASE("a checkpoint of another model or recipe is refused and leaves the trainer as it was", "[io]") {
  run<trained> saved;
  REQUIRE(saved.save());
  auto refuses = [](auto& r) {
    const auto before = r.weights();
    const auto loaded = r.load();
    CHECK(loaded.error().code == errc::wrong_model);
    CHECK(std::strlen(loaded.error().what) > 20);
    CHECK(r.weights() == before);
  };
  run<trainer<causal_lm<tiny_gpt2>, recipe, optimizer<adamw>, schedule<warmup_cosine>>> other_model;
  refuses(other_model);
  run<trainer<causal_lm<tiny_llama>, recipe, optimizer<sgd>, schedule<warmup_cosine>>> other_optimizer;
  refuses(other_optimizer);
  run<trainer<causal_lm<tiny_llama, weights<f64>>, recipe, optimizer<adamw>, schedule<warmup_cosine>>> other_numbers;
  refuses(other_numbers);
  CHECK(load_checkpoint(path, saved.t).error().code == errc::wrong_model);  // without the data's section
  std::remove(path);
}
