// expect: did you mean|no non-static data member|does not refer to any field
// expect-first: d_modle
// expect-errors: 1
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define FIELD d_modle
#else
#define FIELD d_model
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .FIELD = 16, .layers = 1, .heads = 2, .context = 8};
};
using lm = ctlm::causal_lm<tag>;

void use(ctlm::span_arena& arena) { lm::weights weights(arena); }
