// Training that keeps what the backward pass needs in 16 bits, activations<bf16>, beside training in single precision.
#include "catch.hpp"

#include "runs.hpp"
#include "sixteen_bits.hpp"

#include <ctlm/train/adapters.hpp>
#include <ctlm/train/heads.hpp>

#include <cmath>
#include <utility>

using namespace ctlm;
using namespace models;
using namespace sixteen_bits;

namespace {

/// Norms after the parts of a block, capped scores and a window.
struct small_gemma2 {
  static constexpr gemma2_config config{.vocab = 61,
                                        .d_model = 24,
                                        .layers = 3,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_dim = 8,
                                        .d_ff = 40,
                                        .context = 32,
                                        .logit_cap = 0,
                                        .window = 8};
};
/// Norms of queries and keys.
struct small_qwen3 {
  static constexpr qwen3_config config{
      .vocab = 61, .d_model = 24, .layers = 3, .heads = 4, .kv_heads = 2, .head_dim = 8, .d_ff = 40, .context = 32};
};

using rounded = activations<bf16>;
template <class Model, class... Slots>
using trainer_of = trainer<Model, recipe, Slots...>;

/// Every number is off by at most 2^-9 of itself, by half of that in the mean; these errors are independent, and those
/// of a few layers add up as their squares do.
constexpr double most = 0.006;

template <class Model, class... Slots>
found gradients_in() {
  return gradients_with<trainer_of<Model, Slots...>>();
}

/// As a model whose numbers are doubles finds them: the same weights, but for the rounding of what is drawn.
template <class Tag, class... ModelSlots>
found compare_gradients() {
  using model = causal_lm<Tag, ModelSlots...>;
  INFO(model::shape.d_model << " wide, of " << model::shape.d_ff);
  const found exact = gradients_in<causal_lm<Tag, weights<f64>, ModelSlots...>>();
  const found plain = gradients_in<model>(), rounding = gradients_in<model, rounded>();
  CHECK(away(exact, plain) < 1e-5);
  CHECK(plain.loss == rounding.loss);  // the forward pass is the same
  CHECK(away(exact, rounding) < most);
  CHECK(away(exact, rounding) > 1e-4);
  return exact;
}
/// And with products in 16 bits.
template <class Tag, class... ModelSlots>
void compare_products() {
  using model = causal_lm<Tag, ModelSlots...>;
  const found exact = compare_gradients<Tag, ModelSlots...>();
  INFO(model::shape.d_model << " wide, of " << model::shape.d_ff);
  const found products = gradients_in<model, compute<bf16>>(), both = gradients_in<model, compute<bf16>, rounded>();
  CHECK(products.loss == both.loss);
  CHECK(away(products, both) < most);
  CHECK(away(products, both) > 1e-5);
  CHECK(away(exact, both) < 0.01);
}

}  // namespace

TEST_CASE("gradients from rounded activations are those of exact ones, but for rounding", "[train]") {
  compare_products<wide>();
  compare_products<small_gemma2>();
  compare_gradients<small_qwen3>();
  compare_products<small_experts<3, 4>>();
  compare_products<tiny_gpt2, backend<portable>>();
  compare_gradients<wide, factored<12>>();
}

TEST_CASE("what learns in part keeps rounded activations too", "[train]") {
  auto bytes_with = []<class Tag, class... Slots>(std::type_identity<Tag>, Slots...) {
    using lm = causal_lm<Tag>;
    using T = trainer<lm, recipe, Slots...>;
    heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes);
    typename lm::weights base(base_memory);
    randomise<lm>(base, 0.1);
    T t(base, memory, {.seed = 5});
    CHECK(memory.remaining() == 0);
    rng random{9};  // so that no adapter is zero
    for (const tensor_info& i : std::remove_cvref_t<decltype(t.learned())>::tensors)
      for (float& x : t.learned().numbers(i)) x += 0.1f * static_cast<float>(random.normal());
    const auto tokens = random_tokens(T::batch_tokens + 1, T::shape.vocab, 3);
    const span<const token> all = tokens;
    const double loss = t.forward_backward(all.first(T::batch_tokens), all.subspan(1));
    return found{loss, numbers_of(t.gradients())};
  };
  auto compare = [&](auto tag, auto... parts) {
    const found exact = bytes_with(tag, parts...), rounding = bytes_with(tag, parts..., rounded{});
    CHECK(std::fabs(exact.loss - rounding.loss) < 1e-3);
    CHECK(away(exact, rounding) < 0.01);
    CHECK(away(exact, rounding) > 1e-4);
  };
  compare(std::type_identity<wide>{}, train_only<lora<4>>{});
  compare(std::type_identity<wide_gpt2>{}, train_only<lora<4>, tensors::biases>{});
  compare(std::type_identity<small_qwen3>{}, train_only<tensors::up, tensors::gains>{});
  compare(std::type_identity<small_gemma2>{}, train_only<lora<4>>{}, compute<bf16>{}, recompute<2>{});
}

TEST_CASE("a head of its own and weights for fewer bits learn from rounded activations", "[train]") {
  auto gradients = []<class... Slots>(Slots...) {
    using T = trainer<causal_lm<wide>, recipe, head<classification<3>>, Slots...>;
    heap_arena memory(T::train_bytes);
    T t(memory, {.seed = 5});
    CHECK(memory.remaining() == 0);
    const auto tokens = random_tokens(T::batch_tokens, T::shape.vocab, 3);
    const typename T::target classes[] = {2, 0, 1};
    const double loss = t.forward_backward(tokens, classes);
    return found{loss, numbers_of(t.gradients())};
  };
  const found exact = gradients(), rounding = gradients(rounded{});
  CHECK(exact.loss == rounding.loss);
  CHECK(away(exact, rounding) < most);
  CHECK(away(exact, rounding) > 1e-4);
  const found whole = gradients_in<causal_lm<wide>, trained_for<int4<32>>>(),
              part = gradients_in<causal_lm<wide>, trained_for<int4<32>>, rounded>();
  CHECK(whole.loss == part.loss);
  CHECK(away(whole, part) < most);
  CHECK(away(whole, part) > 1e-4);
}

// Half the bytes of what layers keep, and one buffer of rows less; what all layers share may be more.
TEST_CASE("rounded activations take the bytes that the arithmetic says", "[train]") {
  auto compare = []<class Tag>(std::type_identity<Tag>, std::size_t shared_before, std::size_t shared) {
    using plain = trainer_of<causal_lm<Tag>>;
    using T = trainer_of<causal_lm<Tag>, rounded>;
    constexpr decoder_shape s = T::shape;
    constexpr std::size_t rows = T::batch_tokens, head = rows * s.vocab;
    const std::size_t kept = rows * s.layers * (2 * s.d_model + s.qkv_dim() + s.q_dim() + s.up_dim());
    const std::size_t attention = rows * (s.q_dim() + s.qkv_dim());
    auto most_of = [&](std::size_t feed_forward) { return larger(larger(head, attention), rows * feed_forward); };
    CHECK(plain::train_bytes + 4 * most_of(shared) ==
          T::train_bytes + 2 * kept + 4 * rows * s.d_model + 4 * most_of(shared_before));
    CHECK(trainer_of<causal_lm<Tag>, activations<f32>>::train_bytes == plain::train_bytes);
    heap_arena memory(T::train_bytes), less(T::train_bytes - 64);
    T t(memory, {});
    CHECK(memory.remaining() == 0);
    CHECK_THROWS_AS(T(less, {}), error);
  };
  compare(std::type_identity<wide_gpt2>{}, 384, 384);
  compare(std::type_identity<wide>{}, 200, 600);  // a gated activation needs room for what it saw and what it made
}

TEST_CASE("layers that are computed again leave the same bits from rounded activations", "[train]") {
  auto compare = []<class Tag, std::size_t... Others, class... Slots>(std::type_identity<Tag>,
                                                                      std::index_sequence<Others...>, Slots...) {
    auto weights_with = []<std::size_t N>(std::integral_constant<std::size_t, N>) {
      using T = trainer_of<causal_lm<Tag>, rounded, recompute<N>, Slots...>;
      heap_arena memory(T::train_bytes);
      T t(memory, {.dropout = 0.1f});
      CHECK(memory.remaining() == 0);
      for (std::uint64_t s = 0; s < 2; ++s) one_step(t, s);
      return bytes_of(t);
    };
    const auto kept = weights_with(std::integral_constant<std::size_t, 0>{});
    for (const bool same : {(weights_with(std::integral_constant<std::size_t, Others>{}) == kept)...}) CHECK(same);
  };
  compare(std::type_identity<wide>{}, std::index_sequence<1, 3>{});
  compare(std::type_identity<wide_gpt2>{}, std::index_sequence<2>{}, compute<bf16>{});
  compare(std::type_identity<small_gemma2>{}, std::index_sequence<2>{});
  compare(std::type_identity<small_qwen3>{}, std::index_sequence<2>{}, compute<bf16>{});
  compare(std::type_identity<small_experts<3, 4>>{}, std::index_sequence<2>{});
}

TEST_CASE("a model learns as fast from rounded activations", "[train]") {
  using plain = trainer_of<causal_lm<tiny_gpt2>>;
  auto losses = []<class T>(std::type_identity<T>) {
    heap_arena memory(T::train_bytes);
    T t(memory, {.optimizer = {.lr = 3e-3f}});
    std::vector<float> found;
    for (int i = 0; i < 150; ++i) found.push_back(one_step(t, 7).loss);
    CHECK(t.skipped_steps() == 0);
    return found;
  };
  const auto expected = losses(std::type_identity<plain>{});
  CHECK(expected.front() > 4);
  CHECK(expected.back() < 1);
  for (const auto& found : {losses(std::type_identity<trainer_of<causal_lm<tiny_gpt2>, rounded>>{}),
                            losses(std::type_identity<trainer_of<causal_lm<tiny_gpt2>, rounded, compute<bf16>>>{})}) {
    CHECK(found != expected);
    CHECK(std::fabs(found.back() - expected.back()) < 0.03f);
  }
}

TEMPLATE_TEST_CASE("training from rounded activations resumes to the bit", "[train]", adamw, muon) {
  using T = trainer_of<causal_lm<tiny_llama>, rounded, compute<bf16>, optimizer<TestType>>;
  heap_arena a(T::train_bytes), b(T::train_bytes);
  T through(a, {.dropout = 0.2f}), resumed(b, {.dropout = 0.2f});
  for (std::uint64_t s = 0; s < 3; ++s) one_step(through, s);
  REQUIRE(runs::put_state(resumed, runs::state_of(through)));
  for (std::uint64_t s = 3; s < 6; ++s) CHECK(one_step(through, s).loss == one_step(resumed, s).loss);
  CHECK((bytes_of(through) == bytes_of(resumed)));
}
