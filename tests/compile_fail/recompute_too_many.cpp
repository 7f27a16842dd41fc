// expect: ctlm: recompute<N> takes at most as many layers as the model has
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t layers = 3;
#else
inline constexpr std::size_t layers = 2;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 2, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
static_assert(ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::recompute<layers>>::train_bytes > 0);
