// expect: did you mean|no non-static data member|does not refer to any field
// expect: d_modle
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define FIELD d_modle
#else
#define FIELD d_model
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .FIELD = 16, .layers = 1, .heads = 2, .context = 8};
};
static_assert(ctlm::causal_lm<tag>::session_bytes > 0);
