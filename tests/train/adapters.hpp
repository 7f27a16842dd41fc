// Small models and what learns of them, for the tests of train_only<> and lora<>.
#pragma once

#include <ctlm/train/adapters.hpp>

#include "../model/model_gradients.hpp"

namespace adapter_models {

using namespace ctlm;
using models::gpt2;
using models::llama;

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

struct qwen3 {
  static constexpr qwen3_config config{
      .vocab = 23, .d_model = 24, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .d_ff = 20, .context = 9};
};
struct gemma2 {
  static constexpr gemma2_config config{
      .vocab = 23, .d_model = 24, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .d_ff = 20, .context = 9};
};

}  // namespace adapter_models
