// expect: ctlm: keep<F, ...> needs to know which matrices
#include <ctlm/ctlm.hpp>

struct small {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 4, .heads = 2, .d_ff = 24, .context = 8};
};
#ifdef CTLM_EXPECT_FAIL
using kept = ctlm::keep<ctlm::f16>;
#else
using kept = ctlm::keep<ctlm::f16, ctlm::tensors::embedding>;
#endif
using lm = ctlm::causal_lm<small, ctlm::weights<ctlm::int4<32>, kept>>;
static_assert(lm::weight_bytes > 0);
