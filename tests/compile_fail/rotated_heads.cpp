// expect: ctlm: kv_cache<rotated<\.\.\.>> cannot rotate heads of this size: hadamard needs an even head_dim
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 15, .layers = 1, .heads = 3, .context = 8};
};
#ifdef CTLM_EXPECT_FAIL
using cache = ctlm::rotated<ctlm::f16>;
#else
using cache = ctlm::f16;
#endif

using lm = ctlm::causal_lm<tag, ctlm::kv_cache<cache>>;
static_assert(lm::session_bytes > 0);
