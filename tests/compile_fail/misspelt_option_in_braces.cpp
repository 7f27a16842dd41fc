// expect-first: no matching (function|constructor).*trainer
// expect: cannot convert .*options
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
#define FIELD totl
#else
#define FIELD total
#endif

using trainer = ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::schedule<ctlm::warmup_cosine>>;

void use(ctlm::span_arena& arena) { trainer t(arena, {.schedule = {.FIELD = 100}}); }
