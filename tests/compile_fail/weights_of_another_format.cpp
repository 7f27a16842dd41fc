// expect-first: ctlm: these weights are stored in another format than the model's: quantise\(\) them first
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using trained = ctlm::causal_lm<tag>;
using lm = ctlm::causal_lm<tag, ctlm::weights<ctlm::int8<>>>;

void use(ctlm::span_arena& arena) {
  trained::weights from(arena);
#ifdef CTLM_EXPECT_FAIL
  lm::session session(from, arena);
#else
  lm::weights to(arena);
  ctlm::quantise(from, to);
  lm::session session(to, arena);
#endif
}
