// A model in few bits that follows the exact one: its codes stay, its scales, gains and biases learn, in any format, by
// the right derivatives, the same for any number of threads.
#include "catch.hpp"

#include "../model/models.hpp"

#include <ctlm/train/distiller.hpp>

#include <cmath>
#include <cstring>
#include <memory>
#include <tuple>
#include <vector>

using namespace ctlm;
using namespace models;

namespace {
using full = causal_lm<tiny_llama>;
template <class F>
using small_of = causal_lm<tiny_llama, weights<F>, compute<decoded>>;

#if CTLM_FEW_KINDS  // other cases have asymmetric, compact and mixed ones
using sloping = std::tuple<int4<32>>;
#else
using learned_again = std::tuple<int2<32, compact>, int2<32, asymmetric>, int3<32>>;
using sloping = std::tuple<int4<32>, int4<32, asymmetric>, int2<32, asymmetric>>;
#endif

/// The exact model, one that was rounded from it, and memory for a distiller.
template <class Full, class Small>
struct pair_of_models {
  running<Full> exact;
  running<Small> rounded;
  explicit pair_of_models() {
    randomise<Full>(exact.weights, 0.2);
    quantise(exact.weights, rounded.weights);
  }
};

/// Mean cross entropy of what two sessions predict after each token.
template <class A, class B>
double cross_entropy_of(A& exact, B& other, span<const token> tokens) {
  std::vector<std::vector<float>> expected;
  exact.reset();
  exact.score(tokens, [&](std::size_t, auto logits) { expected.emplace_back(logits.begin(), logits.end()); });
  other.reset();  // may be the same
  double sum = 0;
  other.score(tokens, [&](std::size_t i, auto logits) {
    double a = 0, b = 0;
    for (std::size_t v = 0; v < logits.size(); ++v)
      a += std::exp(static_cast<double>(expected[i][v])), b += std::exp(static_cast<double>(logits[v]));
    for (std::size_t v = 0; v < logits.size(); ++v)
      sum += std::exp(static_cast<double>(expected[i][v])) / a * (std::log(b) - static_cast<double>(logits[v]));
  });
  return sum / static_cast<double>(tokens.size());
}

/// The codes of all matrices.
template <class W>
std::vector<int> codes_of(const W& w) {
  std::vector<int> codes;
  w.for_each([&](const tensor_info&, auto values) {
    if constexpr (requires { values.codes; })
      for (std::size_t r = 0; r < values.rows; ++r)
        for (std::size_t j = 0; j < values.cols; ++j) codes.push_back(decltype(values)::format::get(values, r, j));
  });
  return codes;
}
/// The numbers that scales, or gains and biases, stand for.
template <class W>
std::vector<float> scales_of(const W& w) {
  std::vector<float> scales;
  w.for_each([&](const tensor_info&, auto values) {
    if constexpr (requires { values.codes; }) {
      using layout = typename decltype(values)::format;
      for (std::size_t r = 0; r < values.rows; ++r)
        for (std::size_t g = 0; g < layout::groups(values.cols); ++g)
          scales.push_back(layout::numbers::scale_format::scale(values.scales[layout::scale_index(values, r, g)]));
    }
  });
  return scales;
}
template <class W>
std::vector<float> gains_of(const W& w) {
  std::vector<float> gains;
  w.for_each([&](const tensor_info&, auto values) {
    if constexpr (requires { values.size(); }) gains.insert(gains.end(), values.begin(), values.end());
  });
  return gains;
}

}  // namespace

#if !CTLM_FEW_KINDS  // the same ways as below, at the cost of a compiler's time
TEMPLATE_LIST_TEST_CASE("what rounding took is learned again, and codes stay", "[train]", learned_again) {
  using small = small_of<TestType>;
  using work = distiller<full, small, 32, 2>;
  pair_of_models<full, small> m;
  const auto tested = random_tokens(32, 61, 77);
  const double least = cross_entropy_of(m.exact.session, m.exact.session, tested);
  const double rounded = cross_entropy_of(m.exact.session, m.rounded.session, tested) - least;
  const auto codes = codes_of(m.rounded.weights);
  const auto scales = scales_of(m.rounded.weights), gains = gains_of(m.rounded.weights);
  heap_arena memory(work::bytes_needed());
  work d(m.exact.weights, m.rounded.weights, memory, {.steps = 100, .lr = 3e-2f, .scale_rate = 1});
  CHECK(memory.remaining() == 0);
  for (std::uint64_t i = 0; i < 100; ++i) CHECK_FALSE(d.step(random_tokens(work::step_tokens, 61, i)).skipped);
  const double learned = cross_entropy_of(m.exact.session, m.rounded.session, tested) - least;
  CAPTURE(rounded, learned);
  CHECK(learned < 0.8 * rounded);
  CHECK(codes_of(m.rounded.weights) == codes);
  CHECK_FALSE(scales_of(m.rounded.weights) == scales);
  CHECK_FALSE(gains_of(m.rounded.weights) == gains);
}
#endif

TEST_CASE("experts learn again what rounding took", "[train]") {
  using exact_model = causal_lm<small_experts<>>;
  using small = causal_lm<small_experts<>, weights<int2<32, compact>>, compute<decoded>>;
  using work = distiller<exact_model, small, 32, 2>;
  pair_of_models<exact_model, small> m;
  const auto tested = random_tokens(40, 61, 77);
  const double least = cross_entropy_of(m.exact.session, m.exact.session, tested);
  const double rounded = cross_entropy_of(m.exact.session, m.rounded.session, tested) - least;
  const auto codes = codes_of(m.rounded.weights);
  heap_arena memory(work::bytes_needed());
  work d(m.exact.weights, m.rounded.weights, memory, {.steps = 100, .lr = 3e-2f, .scale_rate = 1});
  for (std::uint64_t i = 0; i < 100; ++i) CHECK_FALSE(d.step(random_tokens(work::step_tokens, 61, i)).skipped);
  const double learned = cross_entropy_of(m.exact.session, m.rounded.session, tested) - least;
  CAPTURE(rounded, learned);
  CHECK(learned < 0.8 * rounded);
  CHECK(codes_of(m.rounded.weights) == codes);
}

TEMPLATE_LIST_TEST_CASE("scales go where the loss falls", "[train]", sloping) {
  using small = small_of<TestType>;
  using work = distiller<full, small, 40, 1>;
  pair_of_models<full, small> m;
  const auto tokens = random_tokens(40, 61, 5);
  const auto at = [&](double factor, tensor_id id, std::size_t row) {
    auto view = m.rounded.weights.matrix_of(id, id == tensor_id::token_embedding ? 0 : 1);
    using layout = typename decltype(view)::format;
    auto& scale = view.scales[layout::scale_index(view, row, 0)];
    const auto before = scale;
    scale =
        layout::numbers::scale_format::of(static_cast<float>(factor) * layout::numbers::scale_format::scale(before));
    const double loss = cross_entropy_of(m.exact.session, m.rounded.session, tokens);
    scale = before;
    return loss;
  };
  struct slope {
    tensor_id id;
    std::size_t row;
    double by_difference;
  };
  std::vector<slope> slopes;
  for (const tensor_id id :
       {tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight, tensor_id::down_weight})
    for (std::size_t row = 0; row < 24; ++row)
      slopes.push_back({id, row, (at(1.05, id, row) - at(1 / 1.05, id, row)) / (2 * std::log(1.05))});
  const typename small::weights& w = m.rounded.weights;
  std::vector<float> before;
  const auto scale_of = [&](const slope& s) {
    const auto view = w.matrix_of(s.id, 1);
    using layout = typename std::remove_cvref_t<decltype(view)>::format;
    return layout::numbers::scale_format::scale(view.scales[layout::scale_index(view, s.row, 0)]);
  };
  for (const slope& s : slopes) before.push_back(scale_of(s));
  heap_arena memory(work::bytes_needed());
  work d(m.exact.weights, w, memory, {.steps = 2, .lr = 0.02f, .scale_rate = 1});
  d.step(tokens);
  std::size_t steep = 0;
  double most = 0;
  for (const slope& s : slopes) most = std::max(most, std::fabs(s.by_difference));
  for (std::size_t i = 0; i < slopes.size(); ++i) {  // AdamW's first step is lr against the sign of the slope
    if (std::fabs(slopes[i].by_difference) < 0.02 * most) continue;
    ++steep;
    const double moved = std::log(static_cast<double>(scale_of(slopes[i]) / before[i]));
    CAPTURE(i, slopes[i].by_difference, moved);
    CHECK(moved == Approx(slopes[i].by_difference > 0 ? -0.02 : 0.02).margin(2e-3));
  }
  CHECK(steep > 40);
}

TEST_CASE("a distiller has the same bits with any number of threads, in formats by tensor", "[train][threads]") {
  using exact_model = causal_lm<tiny_llama, threads<pool<3>>>;
  using mixed_weights =
      weights<int2<32, asymmetric>, keep<int8<32>, tensors::embedding>, keep<f16, tensors::layers<1>>>;
  using small = causal_lm<tiny_llama, mixed_weights, compute<decoded>>;
  using work = distiller<exact_model, small, 32, 2>;
  const auto learned = [&](std::size_t workers, double scale_rate) {
    pool<3> exec(workers);
    pair_of_models<causal_lm<tiny_llama>, small> m;
    heap_arena memory(work::bytes_needed());
    work d(m.exact.weights, m.rounded.weights, memory, exec, {.steps = 5, .lr = 1e-2f, .scale_rate = scale_rate});
    for (std::uint64_t i = 0; i < 5; ++i) d.step(random_tokens(work::step_tokens, 61, i));
    return std::vector<std::byte>(m.rounded.weights.bytes().begin(), m.rounded.weights.bytes().end());
  };
  const auto expected = learned(1, 1);
  CHECK(learned(2, 1) == expected);
  CHECK(learned(3, 1) == expected);
  CHECK_FALSE(learned(1, 0) == expected);  // gains alone
}

TEST_CASE("without a rate for scales, gains and biases learn alone", "[train]") {
  using small = small_of<int2<32, asymmetric>>;
  using work = distiller<full, small, 32, 2>;
  pair_of_models<full, small> m;
  const auto scales = scales_of(m.rounded.weights), gains = gains_of(m.rounded.weights);
  heap_arena memory(work::bytes_needed());
  work d(m.exact.weights, m.rounded.weights, memory, {.steps = 3, .lr = 1e-2f, .scale_rate = 0});
  for (std::uint64_t i = 0; i < 3; ++i) d.step(random_tokens(work::step_tokens, 61, i));
  CHECK(scales_of(m.rounded.weights) == scales);
  CHECK_FALSE(gains_of(m.rounded.weights) == gains);
}

TEST_CASE("a distiller's products, and what it keeps, in 16 bits", "[train]") {
  using small = small_of<int2<32, asymmetric>>;
  const auto tested = random_tokens(32, 61, 77);
  const auto lost_after = [&](auto type) {
    using work = typename decltype(type)::type;
    pair_of_models<full, small> m;
    const double least = cross_entropy_of(m.exact.session, m.exact.session, tested);
    heap_arena memory(work::bytes_needed());
    work d(m.exact.weights, m.rounded.weights, memory, {.steps = 100, .lr = 3e-2f});
    for (std::uint64_t i = 0; i < 100; ++i) CHECK_FALSE(d.step(random_tokens(work::step_tokens, 61, i)).skipped);
    return cross_entropy_of(m.exact.session, m.rounded.session, tested) - least;
  };
  using exactly = distiller<full, small, 32, 2>;
  using again = distiller<full, small, 32, 2, recompute<2>>;
  using halves = distiller<full, small, 32, 2, compute<bf16>, activations<bf16>>;
  const double lost = lost_after(std::type_identity<exactly>{});
  CHECK(lost_after(std::type_identity<again>{}) == lost);
  CHECK(again::bytes_needed() < exactly::bytes_needed());
  CHECK(halves::bytes_needed() < exactly::bytes_needed());
  const double in_halves = lost_after(std::type_identity<halves>{});
  CHECK(in_halves != lost);
  CHECK(in_halves == Approx(lost).epsilon(0.1));
}

TEST_CASE("a distiller refuses what it cannot compute with", "[train]") {
#if CTLM_FEW_KINDS  // which other cases have
  using small = small_of<int2<32, asymmetric>>;
#else
  using small = small_of<int4<32>>;
#endif
  using work = distiller<full, small, 32, 2>;
  pair_of_models<full, small> m;
  heap_arena memory(work::bytes_needed()), less(work::bytes_needed() - memory_alignment);
  CHECK_THROWS_WITH(work(m.exact.weights, m.rounded.weights, less), Catch::Contains("bytes are needed"));
  CHECK_THROWS_WITH(work(m.exact.weights, m.rounded.weights, memory, {.steps = 0}), Catch::Contains("at least 1 step"));
  heap_arena again(work::bytes_needed()), third(work::bytes_needed());
  CHECK_THROWS_WITH(work(m.exact.weights, m.rounded.weights, again, {.scale_rate = -1}), Catch::Contains("scale_rate"));
  work d(m.exact.weights, m.rounded.weights, third);
  CHECK_THROWS_WITH(d.step(random_tokens(63, 61)), Catch::Contains("a distiller's step needs 64 tokens, not 63"));
  auto wrong = random_tokens(64, 61);
  wrong[5] = 61;
  CHECK_THROWS_WITH(d.step(wrong), Catch::Contains("61"));
}
