// expect: ctlm: the arena is too small
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t divisor = 2;
#else
inline constexpr std::size_t divisor = 1;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
using trainer = ctlm::trainer<ctlm::causal_lm<tag>, recipe>;
static constinit ctlm::static_arena<trainer::train_bytes / divisor> arena;

void use() { trainer t(arena, {}); }
