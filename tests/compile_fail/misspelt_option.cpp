// expect-first: lrr
// expect-errors: 1
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
#define FIELD lrr
#else
#define FIELD lr
#endif

using trainer = ctlm::trainer<ctlm::causal_lm<tag>, recipe>;

void use(ctlm::span_arena& arena) {
  const trainer::options o{.seed = 1, .optimizer = {.FIELD = 1e-3f}};
  trainer t(arena, o);
}
