// A user's program that instantiates most of the library, for its warnings; it is never run.
#include <ctlm/ctlm.hpp>

namespace {

struct gpt {
  static constexpr ctlm::gpt2_config config{.vocab = 64, .d_model = 32, .layers = 2, .heads = 4, .context = 16};
};
struct llama {
  static constexpr ctlm::llama_config config{
      .vocab = 64, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 48, .context = 16};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};

template <class Tag, class Weights, class Cache>
void answer(ctlm::heap_arena& memory) {
  using lm = ctlm::causal_lm<Tag, ctlm::weights<Weights>, ctlm::kv_cache<Cache>>;
  typename lm::weights weights{memory};
  typename lm::session session{weights, memory};
  ctlm::sampler sampler{.temperature = 0.8f, .top_k = 4, .top_p = 0.9f};
  const ctlm::token prompt[] = {1, 2, 3};
  ctlm::generate(session, ctlm::span<const ctlm::token>(prompt), sampler, 4, [](ctlm::token) {});
}

template <class Tag, class Target, class... Slots>
void learn(ctlm::heap_arena& memory, ctlm::pool<2>& workers) {
  using trainer =
      ctlm::trainer<ctlm::causal_lm<Tag, ctlm::threads<ctlm::pool<2>>>, recipe, ctlm::trained_for<Target>, Slots...>;
  trainer t(memory, {.dropout = 0.1f}, workers);
  const ctlm::token tokens[trainer::step_tokens]{};
  t.step(tokens, tokens);
  t.distil(tokens, t);
}

}  // namespace

int main() {
  ctlm::heap_arena memory(std::size_t{1} << 24);
  ctlm::pool<2> workers;
  answer<gpt, ctlm::f32, ctlm::f16>(memory);
  answer<llama, ctlm::int8<32>, ctlm::int8<32>>(memory);
  answer<llama, ctlm::int4<16, ctlm::asymmetric>, ctlm::bf16>(memory);
  answer<llama, ctlm::int4<32, ctlm::compact>, ctlm::bf16>(memory);
  answer<gpt, ctlm::int2<16>, ctlm::f32>(memory);
  answer<llama, ctlm::int3<32, ctlm::asymmetric>, ctlm::int6<8>>(memory);
  answer<gpt, ctlm::int5<16>, ctlm::ternary<8>>(memory);
  answer<llama, ctlm::bf16, ctlm::f32>(memory);
  answer<gpt, ctlm::f64, ctlm::f64>(memory);
  learn<gpt, ctlm::f32, ctlm::optimizer<ctlm::sgd>>(memory, workers);
  learn<llama, ctlm::int4<32>, ctlm::schedule<ctlm::warmup_cosine>>(memory, workers);
  learn<llama, ctlm::ternary<>, ctlm::recompute<1>>(memory, workers);
  learn<llama, ctlm::bf16, ctlm::recompute<2>>(memory, workers);
}
