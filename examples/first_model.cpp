// A language model is a struct. This one has random weights and says so.
#include <ctlm/ctlm.hpp>

#include <cstdio>

struct tiny {
  static constexpr ctlm::llama_config config{
      .vocab = 256, .d_model = 64, .layers = 4, .heads = 8, .kv_heads = 4, .d_ff = 176, .context = 128};
};
using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::int8<32>>>;
static_assert(lm::session_bytes <= 400 * 1024, "the compiler checks the memory budget");

int main() {
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  ctlm::initialise(weights, 42, {.matrices = 0.1});

  lm::session session(weights, memory);
  ctlm::sampler sampler{.temperature = 1.0f, .top_k = 40, .seed = 7};
  const ctlm::token prompt[] = {'h', 'e', 'l', 'l', 'o'};
  std::printf("%zu parameters, %zu bytes of weights, %zu bytes of session; tokens:", lm::parameters, lm::weight_bytes,
              lm::session_bytes);
  ctlm::generate(session, ctlm::span<const ctlm::token>(prompt), sampler, 16,
                 [](ctlm::token t) { std::printf(" %d", t); });
  std::printf("\n");
}
