// expect: ctlm: not a slot: write a policy inside its slot, such as weights<f32>
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using slot = ctlm::f16;
#else
using slot = ctlm::weights<ctlm::f16>;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
static_assert(ctlm::causal_lm<tag, slot>::session_bytes > 0);
