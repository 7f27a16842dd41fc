// expect: ctlm: keep<F, ...> names no matrix that this model has
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using where = ctlm::tensors::layers<4>;  // there are layers 0 to 3
#else
using where = ctlm::tensors::layers<3>;
#endif

struct small {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 4, .heads = 2, .d_ff = 24, .context = 8};
};
using lm = ctlm::causal_lm<small, ctlm::weights<ctlm::int4<32>, ctlm::keep<ctlm::f16, where>>>;
static_assert(lm::weight_bytes > 0);
