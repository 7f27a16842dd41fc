// expect-first: ctlm: the weights are missing: a trainer with train_only<> takes those that stay as they are first
#include <ctlm/ctlm.hpp>
#include <ctlm/train/adapters.hpp>

struct tag {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 1, .heads = 2, .d_ff = 32, .context = 8, .tie_embeddings = true};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using lm = ctlm::causal_lm<tag>;
using trainer = ctlm::trainer<lm, recipe, ctlm::train_only<ctlm::lora<2>>>;

void use(ctlm::span_arena& arena, [[maybe_unused]] const lm::const_weights& weights) {
  const trainer::options options{};
#ifdef CTLM_EXPECT_FAIL
  trainer t(arena, options);
#else
  trainer t(weights, arena, options);
#endif
}
