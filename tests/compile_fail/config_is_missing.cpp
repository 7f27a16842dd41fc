// expect: ctlm: a model's tag needs
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
struct tag {};
#else
struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
#endif

static_assert(ctlm::causal_lm<tag>::session_bytes > 0);
