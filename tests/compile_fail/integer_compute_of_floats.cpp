// expect: ctlm: compute<dynamic_int8> needs integer weights
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
using format = ctlm::f16;
#else
using format = ctlm::int4<32>;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using lm = ctlm::causal_lm<tag, ctlm::weights<format>, ctlm::compute<ctlm::dynamic_int8>>;
static_assert(lm::session_bytes > 0);
