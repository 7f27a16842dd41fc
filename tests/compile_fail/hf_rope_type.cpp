// expect: ctlm: config.json says something that changes results and that ctlm does not support
// expect: not_supported<.*(rope_type|'r', 'o', 'p', 'e', '_', 't').*(proportional|'p', 'r', 'o', 'p')
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define TYPE "proportional"
#else
#define TYPE "linear"
#endif

struct my_model {
  static constexpr auto config = ctlm::hf::config(
      R"({"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
      "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 128,
      "rope_scaling": {"rope_type": ")" TYPE R"(", "factor": 4}})");
};

void f() { (void)sizeof(ctlm::causal_lm<my_model>::weight_bytes); }
