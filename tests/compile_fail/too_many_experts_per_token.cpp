// expect: ctlm: config.experts_per_token must be at least 1 and at most config.experts
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t experts_per_token = 5;
#else
inline constexpr std::size_t experts_per_token = 4;
#endif

struct tag {
  static constexpr ctlm::mixtral_config config{.vocab = 8,
                                               .d_model = 16,
                                               .layers = 1,
                                               .heads = 4,
                                               .d_ff = 24,
                                               .context = 8,
                                               .experts = 4,
                                               .experts_per_token = experts_per_token};
};
static_assert(ctlm::causal_lm<tag>::session_bytes > 0);
