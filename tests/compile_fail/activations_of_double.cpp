// expect-first: ctlm: activations<bf16> and activations<f16> round numbers of single precision
// expect: this model computes in double
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
using model = ctlm::causal_lm<tag, ctlm::weights<ctlm::f64>>;
#else
using model = ctlm::causal_lm<tag>;
#endif
using trainer = ctlm::trainer<model, recipe, ctlm::activations<ctlm::f16>>;

void use(ctlm::span_arena& arena) { trainer t(arena, {}); }
