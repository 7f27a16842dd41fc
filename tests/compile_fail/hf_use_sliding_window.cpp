// expect: ctlm: config.json says something that changes results and that ctlm does not support
// expect: not_supported<.*(use_sliding_window|'s', 'l', 'i', 'd', 'i', 'n', 'g')
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
#define WINDOW "true"
#else
#define WINDOW "false"
#endif

struct my_model {
  static constexpr auto config = ctlm::hf::config(
      R"({"model_type": "qwen2", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 128,
      "use_sliding_window": )" WINDOW "}");
};

void f() { (void)sizeof(ctlm::causal_lm<my_model>::weight_bytes); }
