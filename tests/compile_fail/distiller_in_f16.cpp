// expect: ctlm: a distiller has no compute<f16>, whose scale of the loss it does not keep
#include <ctlm/ctlm.hpp>
#include <ctlm/train/distiller.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using full = ctlm::causal_lm<tag>;
using small = ctlm::causal_lm<tag, ctlm::weights<ctlm::int2<16>>, ctlm::compute<ctlm::decoded>>;
#ifdef CTLM_EXPECT_FAIL
using numbers = ctlm::f16;
#else
using numbers = ctlm::bf16;
#endif
static_assert(ctlm::distiller<full, small, 8, 2, ctlm::compute<numbers>>::bytes_needed() > 0);
