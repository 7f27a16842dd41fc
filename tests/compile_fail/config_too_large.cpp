// expect-first: ctlm: the weights of this config are larger than any memory
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t layers = ~std::size_t{0} / 4096;
#else
inline constexpr std::size_t layers = 1;
#endif

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 64, .layers = layers, .heads = 2, .context = 8};
};
using lm = ctlm::causal_lm<tag>;

void use(ctlm::span_arena& arena) { lm::weights weights(arena); }
