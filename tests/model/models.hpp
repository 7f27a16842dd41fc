// Small models that several tests use, with weights large enough that mistakes show.
#pragma once

#include <ctlm/ctlm.hpp>

#include <vector>

namespace models {

struct tiny_gpt2 {
  static constexpr ctlm::gpt2_config config{.vocab = 61, .d_model = 24, .layers = 2, .heads = 3, .context = 40};
};
struct tiny_llama {
  static constexpr ctlm::llama_config config{
      .vocab = 61, .d_model = 24, .layers = 2, .heads = 6, .kv_heads = 2, .d_ff = 44, .context = 40};
};

/// stories260K, a trained model of llama2.c.
struct stories {
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 512,
                                             .tie_embeddings = true};
};

/// The same as Hugging Face's folder has it, stories260K-hf of the test data.
struct stories_of_folder {
  static constexpr auto config = ctlm::hf::config(R"json({"model_type": "llama", "hidden_act": "silu",
    "hidden_size": 64, "intermediate_size": 172, "max_position_embeddings": 512, "num_attention_heads": 8,
    "num_hidden_layers": 5, "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
    "tie_word_embeddings": true, "vocab_size": 512})json");
};

/// A Mixtral; the rows of its experts are no whole stripes of sixteen.
template <std::size_t Layers = 2, std::size_t Experts = 4>
struct small_experts {
  static constexpr ctlm::mixtral_config config{.vocab = 61,
                                               .d_model = 24,
                                               .layers = Layers,
                                               .heads = 4,
                                               .kv_heads = 2,
                                               .d_ff = 44,
                                               .context = 40,
                                               .experts = Experts,
                                               .experts_per_token = 2};
};

/// A Qwen3-MoE of one layer, whose experts are many.
struct small_qwen3_moe {
  static constexpr ctlm::qwen3_moe_config config{.vocab = 61,
                                                 .d_model = 24,
                                                 .layers = 1,
                                                 .heads = 4,
                                                 .kv_heads = 2,
                                                 .head_dim = 8,
                                                 .d_ff = 20,
                                                 .context = 40,
                                                 .experts = 16,
                                                 .experts_per_token = 3};
};

/// Weights large enough that mistakes show, gains and biases included.
template <class M>
void randomise(const typename M::weights& w, double scale = 0.25) {
  ctlm::initialise(w, 17, {.matrices = scale, .vectors = scale});
}

inline std::vector<ctlm::token> random_tokens(std::size_t n, std::size_t vocab, std::uint64_t seed = 1) {
  ctlm::rng r{seed};
  std::vector<ctlm::token> t(n);
  for (auto& x : t) x = static_cast<ctlm::token>(r.below(vocab));
  return t;
}

/// Weights and a session of a model, in arenas of exactly the promised size.
template <class M>
struct running {
  ctlm::heap_arena weight_memory{M::weight_bytes};
  ctlm::heap_arena session_memory{M::session_bytes};
  typename M::weights weights{weight_memory};
  typename M::session session{weights, session_memory};
};

}  // namespace models
