// What a firmware would contain: a session over weights in flash and a trainer, both in static memory.
#include <ctlm.hpp>

struct tiny_stories {
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 128,
                                             .tie_embeddings = true};
};
using lm =
    ctlm::causal_lm<tiny_stories, ctlm::weights<ctlm::int4<32>>, ctlm::kv_cache<ctlm::int8<32>>, ctlm::prompt_chunk<1>>;
static_assert(lm::weight_bytes <= 256 * 1024, "weights must fit the flash partition");
static_assert(lm::session_bytes <= 96 * 1024, "session must fit SRAM");

struct sensor {
  static constexpr ctlm::gpt2_config config{.vocab = 32, .d_model = 16, .layers = 2, .heads = 2, .context = 16};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using trainer = ctlm::trainer<ctlm::causal_lm<sensor>, recipe>;

static constinit ctlm::static_arena<lm::session_bytes> session_memory;
static constinit ctlm::static_arena<trainer::train_bytes> train_memory;
alignas(ctlm::memory_alignment) extern const std::byte weights_in_flash[lm::weight_bytes];

/// Answers a prompt; returns the number of tokens written to out, or a negative error.
extern "C" int answer(const ctlm::token* prompt, std::size_t n, ctlm::token* out, std::size_t room) {
  const auto weights = lm::const_weights::bind({weights_in_flash, lm::weight_bytes});
  if (!weights) return -static_cast<int>(weights.error().code);
  lm::session session(*weights, session_memory);
  ctlm::sampler sampler{.temperature = 0.8f, .top_k = 40, .top_p = 0.9f};
  std::size_t made = 0;
  ctlm::generate(session, {prompt, n}, sampler, room, [&](ctlm::token t) { out[made++] = t; });
  return static_cast<int>(made);
}

/// One training step; returns the loss.
extern "C" float learn(const ctlm::token* inputs, const ctlm::token* targets) {
  trainer t(train_memory, {});
  return t.step({inputs, trainer::step_tokens}, {targets, trainer::step_tokens}).loss;
}
