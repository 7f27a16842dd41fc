// expect: ctlm: duplicate slot: weights<> is given twice
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using second = ctlm::weights<ctlm::f32>;
#else
using second = ctlm::kv_cache<ctlm::f32>;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
static_assert(ctlm::causal_lm<tag, ctlm::weights<ctlm::f16>, second>::session_bytes > 0);
