// expect: wieghts
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define SLOT wieghts
#else
#define SLOT weights
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
static_assert(ctlm::causal_lm<tag, ctlm::SLOT<ctlm::f16>>::session_bytes > 0);
