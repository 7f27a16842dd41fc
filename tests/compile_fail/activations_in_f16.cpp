// expect-first: ctlm: a trainer has no activations<f16>: numbers of half precision end at 65504
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
using format = ctlm::f16;
#else
using format = ctlm::bf16;
#endif
static_assert(ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::activations<format>>::train_bytes > 0);
