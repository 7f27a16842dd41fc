// expect: ctlm: factored<> is not for models with experts yet
#include <ctlm/ctlm.hpp>

struct small {
#ifdef CTLM_EXPECT_FAIL
  static constexpr ctlm::mixtral_config config{.vocab = 32,
                                               .d_model = 16,
                                               .layers = 2,
                                               .heads = 2,
                                               .d_ff = 24,
                                               .experts = 4,
                                               .experts_per_token = 2,
                                               .context = 8};
#else
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 2, .heads = 2, .d_ff = 24, .context = 8};
#endif
};
using lm = ctlm::causal_lm<small, ctlm::factored<4>>;
static_assert(lm::weight_bytes > 0);
