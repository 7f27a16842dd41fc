// hosted
// expect: ctlm: offloaded<bytes> is too small: it must hold the embeddings, the head and two layers
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t budget = 100 << 10;
#else
inline constexpr std::size_t budget = 1 << 20;
#endif

struct tall {
  static constexpr ctlm::gpt2_config config{.vocab = 256, .d_model = 64, .layers = 12, .heads = 4, .context = 64};
};
using lm = ctlm::causal_lm<tall, ctlm::weights<ctlm::int8<>>, ctlm::memory<ctlm::offloaded<budget>>>;
static_assert(ctlm::offloaded_weights<lm>::bytes_needed() <= budget);
