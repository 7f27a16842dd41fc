// expect-first: ctlm: a session takes, in this order: weights, an arena
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using lm = ctlm::causal_lm<tag>;

void use(const lm::const_weights& w, ctlm::span_arena& arena) {
#ifdef CTLM_EXPECT_FAIL
  lm::session session(arena, w);
#else
  lm::session session(w, arena);
#endif
}
