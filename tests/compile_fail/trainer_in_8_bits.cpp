// expect-first: ctlm: a trainer has no compute<dynamic_int8>: activations rounded to 8 bits have no gradients
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef CTLM_EXPECT_FAIL
using numbers = ctlm::dynamic_int8;
#else
using numbers = ctlm::bf16;
#endif
using trainer = ctlm::trainer<ctlm::causal_lm<tag>, recipe, ctlm::compute<numbers>>;

void use(ctlm::span_arena& arena) { trainer t(arena, {}); }
