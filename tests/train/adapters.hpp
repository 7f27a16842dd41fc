// Small models and what learns of them, for the tests of train_only<> and lora<>.
#pragma once

#include <ctlm/train/adapters.hpp>

#include "../model/model_gradients.hpp"

namespace adapter_models {

using namespace ctlm;

struct dora {
  static constexpr lora_config config{.alpha = 6, .weight_decomposed = true};
};
struct stabilised {
  static constexpr lora_config config{.alpha = 3, .rank_stabilised = true};
};
struct dropping {
  static constexpr lora_config config{.alpha = 6, .dropout = 0.25};
};

struct recipe {
  static constexpr train_config config{.batch = 2};
};

template <bool Bias, bool Tied>
struct gpt2 {
  static constexpr gpt2_config config{.vocab = 23,
                                      .d_model = 12,
                                      .layers = 2,
                                      .heads = 3,
                                      .context = 9,
                                      .d_ff = 20,
                                      .bias = Bias,
                                      .tie_embeddings = Tied};
};
template <bool Bias, bool Tied>
struct llama {
  static constexpr llama_config config{.vocab = 23,
                                       .d_model = 24,
                                       .layers = 2,
                                       .heads = 6,
                                       .kv_heads = 2,
                                       .d_ff = 20,
                                       .context = 9,
                                       .tie_embeddings = Tied,
                                       .bias = Bias};
};
struct qwen3 {
  static constexpr qwen3_config config{
      .vocab = 23, .d_model = 24, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .d_ff = 20, .context = 9};
};
struct gemma2 {
  static constexpr gemma2_config config{
      .vocab = 23, .d_model = 24, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .d_ff = 20, .context = 9};
};

}  // namespace adapter_models
