// expect: ctlm: this slot belongs elsewhere
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using slot = ctlm::optimizer<ctlm::adamw>;
#else
using slot = ctlm::activation<ctlm::relu>;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
static_assert(ctlm::causal_lm<tag, slot>::session_bytes > 0);
