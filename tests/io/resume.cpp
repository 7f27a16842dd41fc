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

namespace {

struct two_heads {
  static constexpr llama_config config{.vocab = 61, .d_model = 16, .layers = 1, .heads = 2, .d_ff = 24, .context = 16};
};
struct four_heads {  // the same tensors, cut into heads differently
  static constexpr llama_config config{.vocab = 61, .d_model = 16, .layers = 1, .heads = 4, .d_ff = 24, .context = 16};
};
template <class Tag, class... Slots>
using trained_as = trainer<causal_lm<Tag, Slots...>, recipe, optimizer<sgd>>;

/// Makes a file of version 1 of what was just written: another version, another way to identify a model.
void make_version_1(std::uint64_t layout) {
  std::string file = read_file(path).value();
  const std::uint64_t version = 1;
  std::memcpy(file.data() + 8, &version, 8);
  std::memcpy(file.data() + 16, &layout, 8);
  checksum sum;
  sum.add(file.data(), file.size() - 8);
  const std::uint64_t value = sum.value();
  std::memcpy(file.data() + file.size() - 8, &value, 8);
  REQUIRE(replace_file(path, file));
}

}  // namespace

TEST_CASE("a checkpoint knows heads and activation, which no tensor shows", "[io]") {
  run<trained_as<two_heads>> saved, same;
  REQUIRE(saved.save());
  run<trained_as<four_heads>> other_heads;
  CHECK(other_heads.load().error().code == errc::wrong_model);
  run<trained_as<two_heads, activation<geglu>>> other_activation;
  CHECK(other_activation.load().error().code == errc::wrong_model);
  CHECK(same.load());
  std::remove(path);
}

TEST_CASE("checkpoints written before version 2 still load", "[io]") {
  run<trained_as<two_heads>> saved, loaded;
  saved.steps(2);
  REQUIRE(saved.save());
  make_version_1(causal_lm<two_heads>::tensors.layout_hash());
  REQUIRE(loaded.load());
  CHECK(loaded.weights() == saved.weights());
  make_version_1(1);
  CHECK(loaded.load().error().code == errc::wrong_model);
  std::remove(path);
}
