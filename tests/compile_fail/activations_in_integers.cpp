// expect-first: ctlm: a trainer keeps activations in f32, or in half the bytes: activations<bf16>
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
using format = ctlm::int8<32>;
#else
using format = ctlm::bf16;
#endif
static_assert(ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::activations<format>>::train_bytes > 0);
