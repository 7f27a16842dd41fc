// The text of config.json; written by make_longrope.py.
#pragma once

namespace architecture_configs {

inline constexpr const char* phi3_longrope = R"json({
  "architectures": [
    "Phi3ForCausalLM"
  ],
  "attention_dropout": 0.0,
  "bos_token_id": null,
  "dtype": "bfloat16",
  "embd_pdrop": 0.0,
  "eos_token_id": null,
  "head_dim": 16,
  "hidden_act": "silu",
  "hidden_size": 32,
  "initializer_range": 0.02,
  "intermediate_size": 48,
  "max_position_embeddings": 128,
  "model_type": "phi3",
  "num_attention_heads": 2,
  "num_hidden_layers": 2,
  "num_key_value_heads": 1,
  "original_max_position_embeddings": 32,
  "pad_token_id": null,
  "partial_rotary_factor": 0.75,
  "resid_pdrop": 0.0,
  "rms_norm_eps": 1e-05,
  "rope_parameters": {
    "long_factor": [
      1.0,
      1.5,
      2.5,
      4.0,
      6.5,
      9.0
    ],
    "original_max_position_embeddings": 32,
    "partial_rotary_factor": 0.75,
    "rope_theta": 100.0,
    "rope_type": "longrope",
    "short_factor": [
      1.0,
      1.05,
      1.1,
      1.25,
      1.5,
      2.0
    ]
  },
  "sliding_window": null,
  "tie_word_embeddings": false,
  "transformers_version": "5.24.0",
  "use_cache": true,
  "vocab_size": 64
}
)json";

}  // namespace architecture_configs
