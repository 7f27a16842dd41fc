// expect: ctlm: recent<F> is for a format that loses something
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
#ifdef CTLM_EXPECT_FAIL
using cache = ctlm::recent<ctlm::f32>;
#else
using cache = ctlm::recent<ctlm::int4<>>;
#endif

using lm = ctlm::causal_lm<tag, ctlm::kv_cache<cache>>;
static_assert(lm::session_bytes > 0);
