// Training is shared among threads, and no bit depends on how many there are.
#include "catch.hpp"

#include "sixteen_bits.hpp"

using namespace ctlm;
using namespace models;
using namespace sixteen_bits;

namespace {

template <class Tag, class... Slots>
using alone = trainer<causal_lm<Tag>, recipe, Slots...>;
template <class Tag, class... Slots>
using shared = trainer<causal_lm<Tag, threads<pool<4>>>, recipe, Slots...>;

/// Losses and scales of some steps, and the weights after them.
struct outcome {
  std::vector<float> numbers;
  std::vector<std::byte> weights;
  bool operator==(const outcome&) const = default;
};
template <class T, class... Executor>
outcome train(const typename T::options& o, std::uint64_t steps, Executor&... workers) {
  heap_arena memory(T::train_bytes);
  T t(memory, o, workers...);
  outcome found;
  for (std::uint64_t s = 0; s < steps; ++s) {
    const auto r = one_step(t, s);
    found.numbers.push_back(r.loss);
    if constexpr (T::scales_loss) found.numbers.push_back(r.loss_scale);
  }
  CHECK((t.skipped_steps() > 0) == T::scales_loss);
  CHECK(t.skipped_steps() < steps);
  found.weights = bytes_of(t);
  return found;
}
template <class T>
void compare(const typename T::options& o, std::uint64_t steps, const outcome& expected) {
  for (std::size_t n : {1, 2, 4}) {
    pool<4> workers(n);
    CHECK(workers.workers() == n);
    CHECK((train<T>(o, steps, workers) == expected));
  }
}
template <class T>
void compare(const typename T::options& o, std::uint64_t steps) {
  pool<4> one(1);
  compare<T>(o, steps, train<T>(o, steps, one));
}

}  // namespace

TEST_CASE("1, 2 and 4 threads give the same bits, and those of the serial policy", "[train][threads]") {
  compare<shared<wide, optimizer<adamw>>>({.dropout = 0.1f}, 6,
                                          train<alone<wide, optimizer<adamw>>>({.dropout = 0.1f}, 6));
}

TEST_CASE("1, 2 and 4 threads give the same bits in bfloat16", "[train][threads]") {
  compare<shared<wide, compute<bf16>>>({.dropout = 0.1f}, 3);
  compare<shared<wide, activations<bf16>>>({.dropout = 0.1f}, 3);
  compare<shared<wide_gpt2, activations<bf16>, compute<bf16>>>({.dropout = 0.1f}, 3);
}

TEST_CASE("1, 2 and 4 threads give the same bits in half precision, scales and skipped steps", "[train][threads]") {
  compare<shared<wide, compute<f16>>>({.dropout = 0.1f, .scaling = {.start = 0x1p22f, .interval = 2}}, 7);
  compare<shared<wide_gpt2, compute<f16>, activations<f16>>>(
      {.dropout = 0.1f, .scaling = {.start = 0x1p22f, .interval = 2}}, 7);
}
