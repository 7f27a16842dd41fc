// A whole tiny model, run by the compiler: forward, loss, backward and optimizer steps inside a static_assert. What
// compiles here has no undefined behaviour: a constant expression cannot.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

namespace {

using namespace ctlm;

struct seed_gpt2 {
  static constexpr gpt2_config config{.vocab = 5, .d_model = 4, .layers = 1, .heads = 2, .context = 3, .d_ff = 4};
};
struct seed_llama {
  static constexpr llama_config config{
      .vocab = 5, .d_model = 4, .layers = 1, .heads = 2, .kv_heads = 1, .d_ff = 4, .context = 3};
};
struct seed_mistral {
  static constexpr mistral_config config{
      .vocab = 5, .d_model = 4, .layers = 1, .heads = 2, .kv_heads = 1, .d_ff = 4, .context = 3, .window = 2};
};
struct recipe {
  static constexpr train_config config{.batch = 1};
};

template <class Tag>
constexpr float loss_falls_by() {
  using trainer_type = trainer<causal_lm<Tag, backend<portable>>, recipe, optimizer<adamw>>;
  constant_arena memory;
  trainer_type t(memory, {.optimizer = {.lr = 0.05f}});
  const token inputs[] = {1, 2, 3}, targets[] = {2, 3, 4};
  const step_result first = t.step(inputs, targets);
  t.step(inputs, targets);
  return first.loss - static_cast<float>(t.evaluate(inputs, targets));
}
static_assert(loss_falls_by<seed_gpt2>() > 0.1f);
static_assert(loss_falls_by<seed_llama>() > 0.01f);

/// Weights by formula, quantised, and three tokens through the model.
template <class Tag, class F, class Cache = int8<>, std::size_t Chunk = 8>
constexpr float logit_spread() {
  using M = causal_lm<Tag, weights<F>, kv_cache<Cache>, prompt_chunk<Chunk>, backend<portable>>;
  constant_arena memory;
  typename M::weights w(memory);
  int n = 0;
  for (const tensor_info& t : M::tensors)
    for (std::size_t r = 0; r < t.layers * t.rows; ++r) {
      float row[16]{};
      for (std::size_t c = 0; c < t.cols; ++c) row[c] = static_cast<float>(++n * 7 % 13) / 13.0f - 0.4f;
      if (t.is_matrix())
        M::weights::format::encode(w.raw_matrix(t.index()), r, row);
      else
        for (std::size_t c = 0; c < t.cols; ++c) w.raw_vector(t.index())[r * t.cols + c] = row[c];
    }
  typename M::session s(w, memory);
  s.decode(1);
  s.decode(2);
  const auto logits = s.decode(3);
  float low = logits[0], high = logits[0];
  for (float x : logits) {
    low = x < low ? x : low;
    high = x > high ? x : high;
  }
  return high - low;
}
static_assert(logit_spread<seed_llama, int4<32>>() > 0.1f);
static_assert(logit_spread<seed_gpt2, int8<>>() > 0.1f);
// With a chunk of 1, the layer keeps two of the three positions, and the last two go round the end of its ring.
static_assert(logit_spread<seed_mistral, f32, f32, 1>() > 0.1f);
static_assert(logit_spread<seed_mistral, f32, f32, 1>() == logit_spread<seed_mistral, f32, f32, 8>());

}  // namespace

TEST_CASE("constant evaluation and run time agree", "[model]") {
  constexpr float at_compile_time = loss_falls_by<seed_gpt2>();
  CHECK(loss_falls_by<seed_gpt2>() == Approx(at_compile_time).epsilon(1e-4));
  constexpr float spread = logit_spread<seed_llama, int4<32>>();
  CHECK(logit_spread<seed_llama, int4<32>>() == Approx(spread).epsilon(1e-4));
}
