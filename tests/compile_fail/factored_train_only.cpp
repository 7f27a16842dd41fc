// expect: ctlm: train_only<> is not for models with factored<> yet: all of such a model learns
#include <ctlm/ctlm.hpp>
#include <ctlm/train/adapters.hpp>

struct small {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 2, .heads = 2, .d_ff = 24, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
#ifdef CTLM_EXPECT_FAIL
using lm = ctlm::causal_lm<small, ctlm::factored<4>>;
#else
using lm = ctlm::causal_lm<small>;
#endif
using trainer = ctlm::trainer<lm, recipe, ctlm::train_only<ctlm::lora<4>>>;
static_assert(trainer::train_bytes > 0);
