// expect: ctlm: a distiller takes compute<bf16>, activations<bf16> or activations<f16>, and recompute<N>
#include <ctlm/ctlm.hpp>
#include <ctlm/train/distiller.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using full = ctlm::causal_lm<tag>;
using small = ctlm::causal_lm<tag, ctlm::weights<ctlm::int2<16>>, ctlm::compute<ctlm::decoded>>;
#ifdef CTLM_EXPECT_FAIL
using slot = ctlm::optimizer<ctlm::sgd>;
#else
using slot = ctlm::recompute<1>;
#endif
static_assert(ctlm::distiller<full, small, 8, 2, slot>::bytes_needed() > 0);
