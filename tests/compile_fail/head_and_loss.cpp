// expect: ctlm: a head with weights of its own brings its loss: leave out loss<>
#include <ctlm/ctlm.hpp>
#include <ctlm/train/heads.hpp>

struct tag {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 1, .heads = 2, .d_ff = 32, .context = 8, .tie_embeddings = true};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using lm = ctlm::causal_lm<tag, ctlm::weights<ctlm::f32>>;
#ifdef CTLM_EXPECT_FAIL
using trainer = ctlm::trainer<lm, recipe, ctlm::head<ctlm::regression<1>>, ctlm::loss<ctlm::cross_entropy_loss>>;
#else
using trainer = ctlm::trainer<lm, recipe, ctlm::head<ctlm::regression<1>>>;
#endif

static_assert(trainer::train_bytes > 0);
