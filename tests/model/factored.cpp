// Models with factored projections beside those with whole matrices: what they compute in every format, where their
// weights come from and go to.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/model/factorise_weights.hpp>
#include <ctlm/model/merge_factors.hpp>

#include "models.hpp"
#include "worse.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

using namespace ctlm;
using namespace models;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 16};
};

/// Logits after some tokens, all taken at once and one by one.
template <class M>
std::vector<double> logits_of(const typename M::const_weights& w, bool one_by_one = false) {
  heap_arena memory(M::session_bytes);
  typename M::session s(w, memory);
  CHECK(memory.remaining() == 0);
  const auto tokens = random_tokens(19, M::shape.vocab, 3);
  span<typename M::real> out;
  if (one_by_one)
    for (const token t : tokens) out = s.decode(t);
  else
    out = s.prefill(tokens);
  return {out.begin(), out.end()};
}
double largest(const std::vector<double>& x) {
  double most = 0;
  for (const double v : x) most = worse(most, std::fabs(v));
  return most;
}
double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = worse(most, std::fabs(a[i] - b[i]));
  return most;
}

template <class F, class... Slots>
struct of {
  using factors = causal_lm<tiny_llama, weights<F>, factored<16>, Slots...>;
  using whole = causal_lm<tiny_llama, weights<native_format_of<typename F::compute>>, Slots...>;
};

/// A factored model in format F against the model of whole matrices that is its weights multiplied out.
template <class F, class... Slots>
void check_against_whole(double bound) {
  using lm = typename of<F, Slots...>::factors;
  using whole = typename of<F, Slots...>::whole;
  INFO(F::name);
  heap_arena memory(lm::weight_bytes), other(whole::weight_bytes);
  typename lm::weights w(memory);
  typename whole::weights merged(other);
  CHECK(memory.remaining() == 0);
  randomise<lm>(w, 0.3);
  merge_factors(w, merged);
  const auto expected = logits_of<whole>(merged);
  const auto found = logits_of<lm>(w);
  CHECK(apart(found, expected) < bound * largest(expected));
  CHECK(apart(logits_of<lm>(w, true), found) < bound * largest(expected));
}

}  // namespace

TEST_CASE("a factored model computes what its weights multiplied out do", "[factored]") {
  check_against_whole<f64>(1e-13);
  check_against_whole<f32>(2e-5);
  check_against_whole<f16>(2e-5);
  check_against_whole<bf16>(2e-5);
  check_against_whole<int8<32>, compute<decoded>>(2e-5);
  check_against_whole<int4<32>, compute<decoded>>(2e-5);
  check_against_whole<int8<32>>(0.05);
  check_against_whole<int4<32>>(0.05);
}

TEST_CASE("a factored model of which matrices are kept in a format of their own", "[factored]") {
  using lm = causal_lm<tiny_llama, weights<int4<32>, keep<f16, tensors::up>>, factored<16, tensors::up, tensors::qkv>,
                       compute<decoded>>;
  using half = causal_lm<tiny_llama, weights<f16>, factored<16, tensors::up, tensors::qkv>>;
  using exact = causal_lm<tiny_llama, factored<16, tensors::up, tensors::qkv>>;
  heap_arena memory(lm::weight_bytes), others(half::weight_bytes + exact::weight_bytes);
  lm::weights w(memory);
  half::weights h(others);
  exact::weights x(others);
  randomise<exact>(x, 0.3);
  quantise(x, w);
  quantise(x, h);
  // The factors of `up` are those of the model in f16, to the bit; those of `qkv` are not.
  const auto row = [](const auto& weights, tensor_id id) {
    using format = typename std::remove_cvref_t<decltype(weights)>::format;
    const auto matrix = weights.matrix_of(id, 1);
    std::vector<float> numbers(matrix.cols);
    format::decode(matrix, 3, 0, matrix.cols, numbers.data());
    return numbers;
  };
  for (const tensor_id id : {tensor_id::up_u, tensor_id::up_v}) CHECK(row(w, id) == row(h, id));
  for (const tensor_id id : {tensor_id::qkv_u, tensor_id::qkv_v}) CHECK(row(w, id) != row(h, id));
}

TEST_CASE("a model factored at full rank computes what it did", "[factored]") {
  using whole = causal_lm<tiny_llama, weights<f64>>;
  using lm = causal_lm<tiny_llama, weights<f64>, factored<24>>;
  using narrow = causal_lm<tiny_llama>;
  using narrow_lm = causal_lm<tiny_llama, factored<24>>;
  heap_arena memory(whole::weight_bytes + lm::weight_bytes), scratch(factorise_bytes<lm>());
  whole::weights w(memory);
  lm::weights f(memory);
  randomise<whole>(w, 0.3);
  REQUIRE(factorise_weights<lm>(w, f, scratch));
  CHECK(scratch.remaining() == 0);
  const auto expected = logits_of<whole>(w);
  CHECK(apart(logits_of<lm>(f), expected) < 1e-11 * largest(expected));

  heap_arena narrow_memory(narrow::weight_bytes + narrow_lm::weight_bytes + factorise_bytes<narrow_lm>());
  narrow::weights n(narrow_memory);
  narrow_lm::weights nf(narrow_memory);
  randomise<narrow>(n, 0.3);
  REQUIRE(factorise_weights<narrow_lm>(n, nf, narrow_memory));
  const auto found = logits_of<narrow_lm>(nf);
  CHECK(apart(found, logits_of<narrow>(n)) < 1e-4 * largest(found));

  SECTION("and learns what it would have learned") {
    // Gradient descent on s alone differs; the losses of the first steps of a small rate do not.
    using a = trainer<whole, recipe, optimizer<sgd>>;
    using b = trainer<lm, recipe, optimizer<sgd>>;
    heap_arena first(a::train_bytes), second(b::train_bytes);
    a x(first, {.optimizer = {.lr = 1e-6f}});
    b y(second, {.optimizer = {.lr = 1e-6f}});
    x.start_from(w);
    y.start_from(f);
    for (std::uint64_t s = 0; s < 5; ++s) {
      const auto inputs = random_tokens(a::step_tokens, a::shape.vocab, s),
                 targets = random_tokens(a::step_tokens, a::shape.vocab, s + 50);
      const float loss = x.step(inputs, targets).loss;
      CHECK(y.step(inputs, targets).loss == Approx(loss).epsilon(1e-5));
    }
  }
}

TEST_CASE("factors of lower rank are the best there are", "[factored]") {
  using whole = causal_lm<tiny_gpt2>;
  using lm = causal_lm<tiny_gpt2, factored<4, tensors::up>>;
  heap_arena memory(whole::weight_bytes + lm::weight_bytes + factorise_bytes<lm>() + whole::weight_bytes);
  whole::weights w(memory), merged(memory);
  lm::weights f(memory);
  randomise<whole>(w, 0.3);
  // A matrix of rank 4 comes back; other tensors are what they were.
  const auto up = w.matrix_of(tensor_id::up_weight, 1);
  rng random{5};
  std::vector<float> left(up.rows * 4), right(4 * up.cols);
  for (float& x : left) x = static_cast<float>(random.normal());
  for (float& x : right) x = static_cast<float>(random.normal());
  for (std::size_t i = 0; i < up.rows; ++i)
    for (std::size_t j = 0; j < up.cols; ++j) {
      up.data[i * up.cols + j] = 0;
      for (std::size_t r = 0; r < 4; ++r) up.data[i * up.cols + j] += left[i * 4 + r] * right[r * up.cols + j];
    }
  REQUIRE(factorise_weights<lm>(w, f, memory));
  merge_factors(f, merged);
  const auto back = merged.matrix_of(tensor_id::up_weight, 1);
  double most = 0;
  for (std::size_t i = 0; i < up.rows * up.cols; ++i)
    most = worse(most, std::fabs(double(back.data[i]) - double(up.data[i])));
  CHECK(most < 1e-4);
  for (const tensor_info& t : whole::tensors)
    if (t.id != tensor_id::up_weight) {
      const auto a = w.numbers(t), b = merged.numbers(t);
      CHECK(std::equal(a.begin(), a.end(), b.begin()));
    }

  SECTION("numbers that are not finite are an error with the tensor's name") {
    up.data[7] = std::numeric_limits<float>::infinity();
    heap_arena more(factorise_bytes<lm>());
    const auto r = factorise_weights<lm>(w, f, more);
    REQUIRE(!r);
    CHECK(r.error().code == errc::invalid_argument);
    CHECK(std::string(r.error().name) == "up.weight");
  }
}

TEST_CASE("an image of a factored model", "[factored]") {
  using lm = causal_lm<tiny_gpt2, weights<int8<32>>, factored<8>>;
  using other = causal_lm<tiny_gpt2, weights<int8<32>>, factored<9>>;
  heap_arena memory(lm::weight_bytes + sizeof(image_header)), again(lm::weight_bytes);
  lm::weights w(again);
  randomise<lm>(w);
  auto* const image = memory.allocate<std::byte>(sizeof(image_header) + lm::weight_bytes);
  const image_header h = image_header_of<lm>(w);
  std::memcpy(image, &h, sizeof h);
  std::memcpy(image + sizeof h, w.bytes().data(), lm::weight_bytes);
  const span<const std::byte> bytes(image, sizeof h + lm::weight_bytes);
  const auto bound = bind_image<lm>(bytes);
  REQUIRE(bound);
  CHECK(logits_of<lm>(*bound) == logits_of<lm>(w));
  CHECK(bind_image<other>(bytes).error().code == errc::wrong_model);
}

TEST_CASE("a factored model's session and trainer agree", "[factored]") {
  using lm = causal_lm<tiny_llama, weights<f64>, factored<6>>;
  using t = trainer<lm, recipe>;
  heap_arena memory(t::train_bytes), session_memory(lm::session_bytes);
  t one(memory, {});
  one.start_from([](const auto& w) { randomise<lm>(w, 0.3); });
  const auto inputs = random_tokens(16, lm::shape.vocab, 3), targets = random_tokens(16, lm::shape.vocab, 4);
  std::vector<token> both(inputs), all(targets);
  both.insert(both.end(), inputs.begin(), inputs.end());
  all.insert(all.end(), targets.begin(), targets.end());
  const double expected = one.evaluate(both, all);
  lm::session s(one.weights(), session_memory);
  double total = 0;
  s.score(inputs, [&](std::size_t i, span<double> logits) {
    double sum = 0;
    for (const double x : logits) sum += std::exp(x);
    total += std::log(sum) - logits[static_cast<std::size_t>(targets[i])];
  });
  CHECK(total / 16 == Approx(expected).epsilon(1e-10));
}
