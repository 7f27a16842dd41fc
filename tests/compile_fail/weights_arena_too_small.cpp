// expect: ctlm: the arena is too small: give static_arena<> at least session_bytes, weight_bytes
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t missing = 1;
#else
inline constexpr std::size_t missing = 0;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using lm = ctlm::causal_lm<tag>;
static constinit ctlm::static_arena<lm::weight_bytes - missing> arena;

void use() { lm::weights weights{arena}; }
