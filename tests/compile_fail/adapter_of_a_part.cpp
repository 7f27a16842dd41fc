// expect: ctlm: GPT-2 and Phi-3 have queries, keys and values as one projection
#include <ctlm/ctlm.hpp>
#include <ctlm/train/adapters.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 32, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using lm = ctlm::causal_lm<tag>;
#ifdef CTLM_EXPECT_FAIL
using where = ctlm::tensors::queries;
#else
using where = ctlm::tensors::qkv;
#endif

static_assert(ctlm::trainer<lm, recipe, ctlm::train_only<ctlm::lora<2, where>>>::train_bytes > 0);
