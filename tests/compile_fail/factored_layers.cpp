// expect: ctlm: factored<rank, ...> factors a projection in all layers or in none
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using how = ctlm::factored<4, ctlm::tensors::layers<1>>;
#else
using how = ctlm::factored<4, ctlm::tensors::layers<0, 1>>;
#endif

struct small {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 2, .heads = 2, .d_ff = 24, .context = 8};
};
using lm = ctlm::causal_lm<small, how>;
static_assert(lm::weight_bytes > 0);
