// expect-first: ctlm: config.heads must divide config.d_model, unless config.head_dim is given
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t heads = 3;
#else
inline constexpr std::size_t heads = 4;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = heads, .context = 8};
};
static_assert(ctlm::causal_lm<tag>::session_bytes > 0);
