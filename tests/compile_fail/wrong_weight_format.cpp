// expect: ctlm: wrong weight format: a trainer needs weights<f32>
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using format = ctlm::int8<32>;
#else
using format = ctlm::f32;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};

void use(ctlm::static_arena<1 << 20>& arena) {
  ctlm::trainer<ctlm::causal_lm<tag, ctlm::weights<format>>, recipe> t(arena, {});
}
