// What a firmware does: int4 weights in constant memory, a session in .bss, a budget that the compiler checks, no heap.
// (tests/firmware compiles the like of it freestanding and looks at its symbols.)
#include <ctlm/ctlm.hpp>

#include <cstdio>

struct keyword_model {
  static constexpr ctlm::llama_config config{.vocab = 64,
                                             .d_model = 32,
                                             .layers = 2,
                                             .heads = 4,
                                             .kv_heads = 2,
                                             .d_ff = 64,
                                             .context = 64,
                                             .tie_embeddings = true};
};
using lm = ctlm::causal_lm<keyword_model, ctlm::weights<ctlm::int4<32>>, ctlm::kv_cache<ctlm::int8<>>,
                           ctlm::arch<ctlm::portable>, ctlm::prefill<1>>;
static_assert(lm::weight_bytes <= 20 * 1024, "weights must fit the flash partition");
static_assert(lm::session_bytes <= 12 * 1024, "session must fit SRAM");

// A real firmware links a packed blob here; these bytes stand for one.
alignas(ctlm::memory_alignment) static const std::byte flash[lm::weight_bytes]{};
static constinit ctlm::static_arena<lm::session_bytes> sram;

int main() {
  const auto weights = lm::const_weights::bind({flash, sizeof flash});
  if (!weights) return std::fprintf(stderr, "%s\n", weights.error().what), 1;
  lm::session session(*weights, sram);
  const ctlm::token next = ctlm::sampler::greedy(session.decode(1));
  std::printf("flash %zu bytes, SRAM %zu bytes, next token %d\n", lm::weight_bytes, lm::session_bytes, next);
}
