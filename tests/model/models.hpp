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

/// Fills weights of any format from one stream of random numbers.
template <class M>
void randomise(const typename M::weights& w, double scale = 0.25) {
  ctlm::rng r{17};
  for (const auto& t : M::tensors) {
    const auto i = static_cast<std::size_t>(t.id);
    std::vector<typename M::real> row(t.cols);
    for (std::size_t j = 0; j < t.layers * t.rows; ++j) {
      for (auto& x : row)
        x = static_cast<typename M::real>((t.kind == ctlm::tensor_kind::vector ? 0.7 : 0.0) + scale * r.normal());
      if (t.kind == ctlm::tensor_kind::matrix) {
        M::weights::format::encode(w.raw_matrix(i), j, row.data());
      } else {
        for (std::size_t c = 0; c < t.cols; ++c) w.raw_vector(i)[j * t.cols + c] = row[c];
      }
    }
  }
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
