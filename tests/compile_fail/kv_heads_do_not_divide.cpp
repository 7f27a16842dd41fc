// expect: ctlm: config.kv_heads must divide config.heads
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t kv_heads = 3;
#else
inline constexpr std::size_t kv_heads = 2;
#endif

struct tag {
  static constexpr ctlm::llama_config config{
      .vocab = 8, .d_model = 16, .layers = 1, .heads = 4, .kv_heads = kv_heads, .d_ff = 24, .context = 8};
};
static_assert(ctlm::causal_lm<tag>::session_bytes > 0);
