// Factored projections: gradients, what they cost, what they compute in every format, and what a run keeps.
#include "../extend/differences.hpp"

#include <ctlm/train/narrow.hpp>

#include "../model/models.hpp"
#include "runs.hpp"
#include "worse.hpp"

#include <cmath>
#include <cstring>

using namespace ctlm;
using namespace models;
using namespace runs;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 8, .accumulate = 1};
};
struct twice {
  static constexpr train_config config{.batch = 2, .sequence = 8, .accumulate = 2};
};

}  // namespace

TEST_CASE("gradients of factored projections", "[factored][train]") {
#if !CTLM_FEW_KINDS  // the same ways, at the cost of a compiler's time
  SECTION("of all of GPT-2's") {
    extend::check_gradients<trainer<causal_lm<tiny_gpt2, weights<f64>, factored<5>>, recipe>>();
  }
  SECTION("of some of Llama's") {
    extend::check_gradients<
        trainer<causal_lm<tiny_llama, weights<f64>, factored<7, tensors::up, tensors::down>>, recipe>>();
  }
#endif
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

TEST_CASE("ranks fall while a factored model learns", "[factored][train]") {
  using lm = causal_lm<wide, factored<24>>;
  using t = trainer<lm, twice>;
  heap_arena memory(t::train_bytes), third(t::train_bytes);
  t one(memory, {.optimizer = {.lr = 2e-3f}}), resumed(third, {.optimizer = {.lr = 2e-3f}});
  for (std::uint64_t s = 0; s < 3; ++s) one_step(one, s);
  CHECK(one.rank(tensor_id::up_weight, 1) == 24);
  narrow(one, 10);
  CHECK(one.rank(tensor_id::up_weight, 1) == 10);
  narrow(one, 17);  // ranks only fall
  CHECK(one.rank(tensor_id::up_weight, 1) == 10);

#if !CTLM_FEW_KINDS  // the same ways, at the cost of a compiler's time
  // It goes on as a model of rank 10 would that begins with the same weights and the same state.
  using small = causal_lm<wide, factored<10>>;
  using narrow_trainer = trainer<small, twice>;
  heap_arena other(narrow_trainer::train_bytes);
  narrow_trainer beside(other, {.optimizer = {.lr = 2e-3f}});
  const auto cut = [&](const lm::weights& from, const small::weights& to) {
    for (const tensor_info& info : lm::tensors) {
      const tensor_info& its = small::tensors.of(info.id);
      const auto a = from.numbers(info), b = to.numbers(its);
      for (std::size_t l = 0; l < info.layers; ++l)
        for (std::size_t i = 0; i < its.rows; ++i)
          for (std::size_t j = 0; j < its.cols; ++j)
            b[(l * its.rows + i) * its.cols + j] = a[(l * info.rows + i) * info.cols + j];
    }
  };
  std::vector<std::byte*> places;
  beside.for_each_state([&](const char*, void* data, std::size_t) { places.push_back(static_cast<std::byte*>(data)); });
  std::size_t section = 0;
  one.for_each_state([&](const char* name, void* data, std::size_t bytes) {
    if (bytes == lm::weight_bytes)
      cut(lm::weights::bind({static_cast<std::byte*>(data), bytes}).value(),
          small::weights::bind({places[section], small::weight_bytes}).value());
    else if (std::strcmp(name, "step") == 0)
      std::memcpy(places[section], data, bytes);
    ++section;
  });
#endif
  std::vector<std::byte> kept;
  REQUIRE(put_checkpoint(one, {}, [&](const void* p, std::size_t n) {
    kept.insert(kept.end(), static_cast<const std::byte*>(p), static_cast<const std::byte*>(p) + n);
  }));
#if CTLM_FEW_KINDS
  for (std::uint64_t s = 3; s < 8; ++s) one_step(one, s);
#else
  for (std::uint64_t s = 3; s < 8; ++s) CHECK(one_step(one, s).loss == Approx(one_step(beside, s).loss).epsilon(1e-5));
#endif

  // What does not count stays zero, and what was saved goes on to the bit.
  const auto u = one.weights().matrix_of(tensor_id::up_u, 1);
  const auto v = one.weights().matrix_of(tensor_id::up_v, 1);
  std::size_t others = 0;
  for (std::size_t j = 0; j < u.rows; ++j)
    for (std::size_t r = 10; r < 24; ++r) others += u.data[j * 24 + r] != 0;
  for (std::size_t i = 10 * v.cols; i < 24 * v.cols; ++i) others += v.data[i] != 0;
  CHECK(others == 0);
  REQUIRE(take_checkpoint(span<const std::byte>(kept.data(), kept.size()), resumed, {}));
  CHECK(resumed.rank(tensor_id::up_weight, 1) == 10);
  for (std::uint64_t s = 3; s < 8; ++s) one_step(resumed, s);
  CHECK(state_of(resumed) == state_of(one));
  CHECK_THROWS_AS(narrow(one, 0), error);
}

TEST_CASE("ranks by energy, and by a schedule", "[factored][train]") {
  using lm = causal_lm<wide, factored<24, tensors::up>>;
  using t = trainer<lm, twice>;
  heap_arena memory(t::train_bytes);
  t one(memory, {});
  one.start_from([](const auto& w) {
    initialise(w, 3);
    // Directions of which three have nearly everything, in the middle.
    for (std::size_t r = 0; r < 24; ++r)
      w.vector_of(tensor_id::up_s, 0)[r] = r >= 11 && r < 14 ? static_cast<float>(10 + r) : 0.1f;
  });
  const auto inputs = random_tokens(t::batch_tokens, 300, 1), targets = random_tokens(t::batch_tokens, 300, 2);
  const double before = one.evaluate(inputs, targets);
  narrow_by_energy(one, 0.99);
  CHECK(one.rank(tensor_id::up_weight, 0) == 3);
  CHECK(one.rank(tensor_id::up_weight, 1) > 15);
  CHECK(one.weights().vector_of(tensor_id::up_s, 0)[0] > 20);
  CHECK(one.evaluate(inputs, targets) == Approx(before).epsilon(1e-3));
  narrow_by_energy(one, 1e-6, 2);
  CHECK(one.rank(tensor_id::up_weight, 1) == 2);
  CHECK_THROWS_AS(narrow_by_energy(one, 1.5), error);
  constexpr rank_schedule falls{.first = 24, .last = 8, .from = 10, .to = 18};
  CHECK(falls.at(0) == 24);
  CHECK(falls.at(10) == 24);
  CHECK(falls.at(14) == 16);
  CHECK(falls.at(18) == 8);
  CHECK(falls.at(100) == 8);
}

TEST_CASE("a factored model with products in 16 bits, groups and weights trained for int4", "[factored][train]") {
  using exact = trainer<causal_lm<wide, factored<24>>, twice>;
  using half = trainer<causal_lm<wide, factored<24>>, twice, compute<bf16>>;
  using quantised = trainer<causal_lm<wide, factored<24>>, twice, trained_for<int4<32>>, groups<tensors::up>>;
  heap_arena first(exact::train_bytes), second(half::train_bytes), third(quantised::train_bytes);
  exact a(first, {});
  half b(second, {});
  quantised c(third, {.optimizer = {.lr = 3e-3f}, .groups = {{.rate = 0}}});
  const auto inputs = random_tokens(exact::batch_tokens, 300, 1), targets = random_tokens(exact::batch_tokens, 300, 2);
  const double loss = a.forward_backward(inputs, targets);
  CHECK(b.forward_backward(inputs, targets) == Approx(loss).epsilon(1e-3));
  for (const tensor_id id : {tensor_id::up_u, tensor_id::down_v, tensor_id::qkv_s, tensor_id::out_d}) {
    const tensor_info& info = exact::model::tensors.of(id);
    const auto x = a.gradients().numbers(info), y = b.gradients().numbers(info);
    double apart = 0, all = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      apart += std::pow(double(x[i]) - double(y[i]), 2);
      all += std::pow(double(x[i]), 2);
    }
    INFO(info.name);
    CHECK(apart < 1e-3 * all);
    CHECK(apart > 0);
  }
  // A group of `up` has its factors: at a rate of 0 they stay.
  const auto numbers = [&](tensor_id id) {
    const auto n = c.weights().numbers(exact::model::tensors.of(id));
    return std::vector<float>(n.begin(), n.end());
  };
  const auto up = numbers(tensor_id::up_u), up_s = numbers(tensor_id::up_s), down = numbers(tensor_id::down_u);
  const float before = one_step(c).loss;
  for (int i = 0; i < 40; ++i) one_step(c);
  CHECK(one_step(c).loss < 0.8f * before);
  CHECK(numbers(tensor_id::up_u) == up);
  CHECK(numbers(tensor_id::up_s) == up_s);
  CHECK(numbers(tensor_id::down_u) != down);
}
