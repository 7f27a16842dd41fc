// expect: constraint
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using slot = ctlm::weights<ctlm::relu>;  // an activation is no storage format: the error is on this line
#else
using slot = ctlm::weights<ctlm::bf16>;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
static_assert(ctlm::causal_lm<tag, slot>::session_bytes > 0);
