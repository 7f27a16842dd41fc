// The model, which is compiled once for each kind of processor.
#include "story.hpp"

#include <ctlm/ctlm.hpp>

namespace {

struct tiny {
  static constexpr ctlm::llama_config config{
      .vocab = 256, .d_model = 64, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 128, .context = 64};
};
using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::int8<32>>>;

std::vector<std::int32_t> tell(const std::vector<std::int32_t>& prompt, std::size_t tokens) {
  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  ctlm::initialise(weights, 42, {.matrices = 0.1});  // random: see docs/start.md for one that has learned
  lm::session session(weights, memory);
  ctlm::sampler likeliest{.temperature = 0};
  std::vector<std::int32_t> told;
  ctlm::generate(session, ctlm::span<const ctlm::token>(prompt), likeliest, tokens,
                 [&](ctlm::token t) { told.push_back(t); });
  return told;
}

const char* backend() { return ctlm::native::name; }

}  // namespace

CTLM_VARIANT(story) = {.tell = tell, .backend = backend};
