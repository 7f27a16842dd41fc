// expect-first: ctlm: these are the weights of another model
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct other : tag {};
using lm = ctlm::causal_lm<tag>;
#ifdef CTLM_EXPECT_FAIL
using source = ctlm::causal_lm<other>;
#else
using source = lm;
#endif

void use(ctlm::span_arena& arena) {
  source::weights weights(arena);
  lm::session session(weights, arena);
}
