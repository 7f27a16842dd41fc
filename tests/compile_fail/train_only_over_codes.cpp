// expect: ctlm: matrices learn themselves over weights<f32> .or f64. alone
#include <ctlm/ctlm.hpp>
#include <ctlm/train/adapters.hpp>

struct tag {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 1, .heads = 2, .d_ff = 32, .context = 8, .tie_embeddings = true};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using lm = ctlm::causal_lm<tag, ctlm::weights<ctlm::int4<32>>>;
#ifdef CTLM_EXPECT_FAIL
using learns = ctlm::tensors::layers<0>;
#else
using learns = ctlm::tensors::gains;
#endif

static_assert(ctlm::trainer<lm, recipe, ctlm::train_only<learns>>::train_bytes > 0);
