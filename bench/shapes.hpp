// The models whose speed is reported: the shapes of known ones, with random weights.
#pragma once

#include <ctlm/ctlm.hpp>

namespace shapes {

struct llama_260k {
  static constexpr const char* name = "Llama 260K";
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 512,
                                             .tie_embeddings = true};
};
struct llama_15m {
  static constexpr const char* name = "Llama 15M";
  static constexpr ctlm::llama_config config{
      .vocab = 32000, .d_model = 288, .layers = 6, .heads = 6, .d_ff = 768, .context = 640, .tie_embeddings = true};
};
struct llama_135m {
  static constexpr const char* name = "Llama 135M";
  static constexpr ctlm::llama_config config{.vocab = 49152,
                                             .d_model = 576,
                                             .layers = 30,
                                             .heads = 9,
                                             .kv_heads = 3,
                                             .d_ff = 1536,
                                             .context = 640,
                                             .tie_embeddings = true};
  static constexpr ctlm::train_config recipe{.batch = 4, .sequence = 256};
};
/// The same with room for a long text.
template <std::size_t Context>
struct llama_135m_long {
  static constexpr const char* name = llama_135m::name;
  static constexpr ctlm::llama_config config = [] {
    ctlm::llama_config c = llama_135m::config;
    c.context = Context;
    return c;
  }();
};
/// The same with another vocabulary.
template <std::size_t Vocab>
struct llama_135m_of {
  static constexpr const char* name = Vocab < 200000 ? "Llama 135M, 151936 tokens" : "Llama 135M, 262144 tokens";
  static constexpr ctlm::llama_config config = [] {
    ctlm::llama_config c = llama_135m::config;
    c.vocab = Vocab;
    return c;
  }();
};
struct gpt_10m {
  static constexpr const char* name = "GPT 10.8M, B=8 T=256";
  static constexpr ctlm::gpt2_config config{.vocab = 256, .d_model = 384, .layers = 6, .heads = 6, .context = 256};
  static constexpr ctlm::train_config recipe{.batch = 8};
};
struct gpt2_124m {
  static constexpr const char* name = "GPT-2 124M, B=4 T=64";
  static constexpr ctlm::gpt2_config config{.vocab = 50257, .d_model = 768, .layers = 12, .heads = 12, .context = 1024};
  static constexpr ctlm::train_config recipe{.batch = 4, .sequence = 64};
};

}  // namespace shapes
