// expect-first: ctlm: wrong weight format: a trainer needs weights<f32> .*use trained_for<bf16>
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
using trainer = ctlm::trainer<ctlm::causal_lm<tag, ctlm::weights<ctlm::bf16>>, recipe>;
#else
using trainer = ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::trained_for<ctlm::bf16>>;
#endif

void use(ctlm::span_arena& arena) { trainer t(arena, {}); }
