// Folders of Hugging Face that are written here: read again, they are the same model, to the bit.
#include "model/architectures.hpp"

#include "catch.hpp"
#include "model/models.hpp"
#include "scratch.hpp"

#include <cmath>
#include <cstring>

using namespace architectures;
using namespace models;

namespace {

struct tiny_gpt2_of_hf {
  static constexpr gpt2_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 64};
};

/// Phi-3 with heads of which a part rotates, by angles that are scaled: transformers knows no such Phi-3.
struct scaled_phi3_config : phi3_config {
  constexpr decoder_shape shape(bool gated) const {
    decoder_shape s = phi3_config::shape(gated);
    s.rope_scaling = rope_kind::linear;
    s.rope_factor = 2;
    s.rope_context = 8;
    return s;
  }
};
struct scaled_phi3 {
  static constexpr scaled_phi3_config config{tiny_phi3::config};
};

/// Fields of two shapes that differ.
std::string differences(const decoder_shape& a, const decoder_shape& b) {
  std::string names;
  decoder_shape::for_each_field([&](const char* name, auto field) {
    if (a.*field != b.*field) names.append(name).append(" ");
  });
  return names;
}

template <class M>
bool same_numbers(const typename M::weights& a, const typename M::weights& b, double limit) {
  double w = 0;
  for (const tensor_info& t : M::tensors) {
    const auto x = a.numbers(t), y = b.numbers(t);
    for (std::size_t i = 0; i < x.size(); ++i)
      w = x[i] == y[i] ? w : std::max(w, std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i])));
  }
  return w <= limit;
}

}  // namespace

TEMPLATE_TEST_CASE("a folder that is written is the same model when it is read", "[io]", tiny_gpt2_of_hf, tiny_llama3,
                   scaled_llama<rope_kind::linear>, scaled_llama<rope_kind::yarn>, scaled_llama<rope_kind::dynamic>,
                   tiny_mistral, tiny_qwen2, tiny_qwen3, tiny_smollm3, tiny_phi3, tiny_gemma, tiny_gemma2, tiny_gemma3,
                   tiny_mixtral, tiny_qwen3_moe) {
  using M = causal_lm<TestType>;
  const scratch_folder folder;
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  REQUIRE(save_hf<M>((folder / "model").c_str(), r.weights));
  const std::string json = contents_of(folder / "model/config.json");
  const bool grows = M::shape.rope_scaling == rope_kind::dynamic;  // its file has the context before scaling
  const auto read = hf::config(json.c_str(), grows ? M::shape.context : 0);
  REQUIRE(read.problem.what == hf::problem::none);
  CHECK(differences(read.shape(M::activation_policy::gated), M::shape) == "");
  tensor_report report;
  REQUIRE(load_safetensors<M>((folder / "model").c_str(), again.weights, &report));
  // Gemma's gains are written less 1, which costs their last bit.
  CHECK(same_numbers<M>(r.weights, again.weights, M::shape.scaled_embeddings ? 1e-7 : 0));
}

TEST_CASE("weights in few bits and in 16 bits are written as numbers", "[io]") {
  using M = causal_lm<tiny_llama3, weights<bf16>>;
  const scratch_folder folder;
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  REQUIRE(save_hf<M>((folder / "model").c_str(), r.weights));
  REQUIRE(load_safetensors<M>((folder / "model").c_str(), again.weights));
  CHECK(std::memcmp(r.weights.bytes().data(), again.weights.bytes().data(), r.weights.bytes().size()) == 0);

  using Q = causal_lm<tiny_llama3, weights<int8<32>>>;
  running<Q> q, q_again;
  quantise(r.weights, q.weights);
  REQUIRE(save_hf<Q>((folder / "few").c_str(), q.weights));
  REQUIRE(load_safetensors<Q>((folder / "few").c_str(), q_again.weights));
  CHECK(q.session.decode(3)[1] == Approx(q_again.session.decode(3)[1]).epsilon(0.02));
}

TEST_CASE("a model that no family computes as is refused", "[io]") {
  const auto text = hf_config_text<causal_lm<scaled_phi3>>();
  REQUIRE_FALSE(text);
  CHECK(text.error().code == errc::unsupported);
  CHECK(std::string(explain(text.error()).text).find("no family of models on Hugging Face") != std::string::npos);
  CHECK(hf_config_text<causal_lm<tiny_llama3>>());
  CHECK_FALSE(hf_config_text<causal_lm<tiny_llama3, activation<relu>>>());
}
