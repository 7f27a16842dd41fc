// The text of config.json; written by make_architectures.py.
#pragma once

namespace architecture_configs {

inline constexpr const char* gemma2 = R"json({
  "architectures": [
    "Gemma2ForCausalLM"
  ],
  "attention_bias": false,
  "attention_dropout": 0.0,
  "attn_logit_softcapping": 5.0,
  "bos_token_id": null,
  "dtype": "bfloat16",
  "eos_token_id": null,
  "final_logit_softcapping": 8.0,
  "head_dim": 16,
  "hidden_activation": "gelu_pytorch_tanh",
  "hidden_size": 32,
  "initializer_range": 0.02,
  "intermediate_size": 48,
  "layer_types": [
    "sliding_attention",
    "full_attention",
    "sliding_attention",
    "full_attention"
  ],
  "max_position_embeddings": 128,
  "model_type": "gemma2",
  "num_attention_heads": 4,
  "num_hidden_layers": 4,
  "num_key_value_heads": 2,
  "pad_token_id": null,
  "query_pre_attn_scalar": 24,
  "rms_norm_eps": 1e-06,
  "rope_parameters": {
    "rope_theta": 10000.0,
    "rope_type": "default"
  },
  "sliding_window": 8,
  "tie_word_embeddings": true,
  "transformers_version": "5.24.0",
  "use_bidirectional_attention": null,
  "use_cache": true,
  "vocab_size": 64
}
)json";

}  // namespace architecture_configs
