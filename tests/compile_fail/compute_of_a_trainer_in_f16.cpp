// expect-first: ctlm: compute<f16> is a slot of a trainer
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
static_assert(ctlm::causal_lm<tag, ctlm::compute<ctlm::f16>>::session_bytes > 0);
#else
static_assert(ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::compute<ctlm::f16>>::train_bytes > 0);
#endif
