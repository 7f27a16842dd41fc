// Factored projections: gradients, what they cost, what they compute in every format, and what a run keeps.
#include "../extend/differences.hpp"

#include "../model/models.hpp"
#include "worse.hpp"

#include <cmath>
#include <cstring>

using namespace ctlm;
using namespace models;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 8, .accumulate = 1};
};
struct twice {
  static constexpr train_config config{.batch = 2, .sequence = 8, .accumulate = 2};
};
/// Wide enough that every kernel is shared among threads.
struct wide {
  static constexpr llama_config config{
      .vocab = 300, .d_model = 96, .layers = 2, .heads = 6, .kv_heads = 3, .d_ff = 200, .context = 16};
};
template <class T>
step_result one_step(T& t, std::uint64_t seed = 1) {
  return t.step(random_tokens(T::step_tokens, T::shape.vocab, seed),
                random_tokens(T::step_tokens, T::shape.vocab, seed + 100));
}
template <class T>
std::vector<std::vector<std::byte>> state_of(T& t) {
  std::vector<std::vector<std::byte>> all;
  t.for_each_state([&](const char*, void* data, std::size_t bytes) {
    const auto* p = static_cast<const std::byte*>(data);
    all.emplace_back(p, p + bytes);
  });
  return all;
}

}  // namespace

TEST_CASE("gradients of factored projections", "[factored][train]") {
  SECTION("of all of GPT-2's") {
    extend::check_gradients<trainer<causal_lm<tiny_gpt2, weights<f64>, factored<5>>, recipe>>();
  }
  SECTION("of some of Llama's") {
    extend::check_gradients<
        trainer<causal_lm<tiny_llama, weights<f64>, factored<7, tensors::up, tensors::down>>, recipe>>();
  }
  SECTION("computed again") {
    extend::check_gradients<
        trainer<causal_lm<tiny_llama, weights<f64>, factored<3, tensors::qkv, tensors::out>>, recipe, recompute<2>>>();
  }
}

TEST_CASE("a factored model's tensors", "[factored]") {
  using lm = causal_lm<tiny_gpt2, factored<5, tensors::up>>;
  using dense = causal_lm<tiny_gpt2>;
  CHECK(!lm::tensors.has(tensor_id::up_weight));
  CHECK(lm::tensors.has(tensor_id::down_weight));
  CHECK(lm::tensors.of(tensor_id::up_u).rows == 96);
  CHECK(lm::tensors.of(tensor_id::up_u).cols == 5);
  CHECK(lm::tensors.of(tensor_id::up_v).rows == 5);
  CHECK(lm::tensors.of(tensor_id::up_v).cols == 24);
  CHECK(lm::parameters == dense::parameters - 2 * 96 * 24 + 2 * (5 * (96 + 24) + 5 + 96));
  CHECK(weights_fingerprint<lm>() != weights_fingerprint<dense>());
  CHECK(weights_fingerprint<lm>() != weights_fingerprint<causal_lm<tiny_gpt2, factored<6, tensors::up>>>());
  // Selective: of matrices with 96 * 24 numbers, and of those with 24 * 24.
  using selective = causal_lm<tiny_gpt2, factored<5, above<24 * 24 + 1>>>;
  CHECK(selective::shape.out_rank == 0);
  CHECK(selective::shape.qkv_rank == 5);
  CHECK(selective::shape.up_rank == 5);
}

TEST_CASE("random factors begin with products as large as a matrix", "[factored]") {
  using lm = causal_lm<wide, factored<48>>;
  using dense = causal_lm<wide>;
  heap_arena memory(lm::weight_bytes + dense::weight_bytes);
  lm::weights w(memory);
  dense::weights whole(memory);
  initialise(w, 3);
  initialise(whole, 3);
  auto deviation_of_product = [&](auto matrix) {
    double squares = 0;
    for (std::size_t i = 0; i < matrix.u.rows; ++i)
      for (std::size_t j = 0; j < matrix.v.cols; ++j) {
        double total = 0;
        for (std::size_t r = 0; r < matrix.rank; ++r)
          total += double(matrix.u.data[i * matrix.u.cols + r]) * double(matrix.s[r]) *
                   double(matrix.v.data[r * matrix.v.cols + j]);
        squares += total * total * double(matrix.d[i]) * double(matrix.d[i]);
      }
    return std::sqrt(squares / double(matrix.u.rows * matrix.v.cols));
  };
  CHECK(deviation_of_product(w.matrix_of<tensor_id::up_weight>(1)) == Approx(0.02).epsilon(0.05));
  CHECK(deviation_of_product(w.matrix_of<tensor_id::down_weight>(1)) == Approx(0.01).epsilon(0.05));
}

TEST_CASE("a factored trainer: the same bits for 1, 2 and 3 threads, and after resuming",
          "[factored][train][threads]") {
  using alone = trainer<causal_lm<wide, factored<24>>, twice>;
  using shared = trainer<causal_lm<wide, factored<24>, threads<pool<3>>>, twice>;
  heap_arena first(alone::train_bytes), second(shared::train_bytes), third(shared::train_bytes),
      fourth(alone::train_bytes);
  pool<3> two(2), three(3);
  alone a(first, {}), resumed(fourth, {});
  shared b(second, {}, two), c(third, {}, three);
  CHECK(first.remaining() == 0);
  CHECK(second.remaining() == 0);
  for (std::uint64_t s = 1; s <= 3; ++s) {
    const float loss = one_step(a, s).loss;
    CHECK(one_step(b, s).loss == loss);
    CHECK(one_step(c, s).loss == loss);
  }
  CHECK(state_of(a) == state_of(b));
  CHECK(state_of(a) == state_of(c));
  std::vector<std::byte> kept;
  REQUIRE(put_checkpoint(a, {}, [&](const void* p, std::size_t n) {
    kept.insert(kept.end(), static_cast<const std::byte*>(p), static_cast<const std::byte*>(p) + n);
  }));
  REQUIRE(take_checkpoint(span<const std::byte>(kept.data(), kept.size()), resumed, {}));
  CHECK(one_step(a, 4).loss == one_step(resumed, 4).loss);
  CHECK(state_of(a) == state_of(resumed));
}

TEST_CASE("a factored model learns", "[factored][train]") {
  using t = trainer<causal_lm<wide, factored<24>>, twice>;
  heap_arena memory(t::train_bytes);
  t one(memory, {.optimizer = {.lr = 3e-3f}});
  const float before = one_step(one).loss;
  for (int i = 0; i < 60; ++i) one_step(one);
  CHECK(one_step(one).loss < 0.5f * before);
}
