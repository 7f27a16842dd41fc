// A spec of your own: an architecture as a struct that comes down to a decoder_shape.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// RMSNorm and rotary positions as in Llama, a plain feed-forward layer of four times the width as in GPT-2, no biases.
struct plain_rotary_config {
  std::size_t vocab;
  std::size_t d_model;
  std::size_t layers;
  std::size_t heads;
  std::size_t context;

  using default_activation = ctlm::relu;

  /// `gated`: the activation takes two projections instead of one.
  constexpr ctlm::decoder_shape shape(bool gated) const {
    return {.vocab = vocab,
            .d_model = d_model,
            .layers = layers,
            .heads = heads,
            .kv_heads = heads,
            .head_dim = ctlm::head_size(0, d_model, heads),
            .d_ff = 4 * d_model,
            .context = context,
            .bias = false,
            .tie_embeddings = true,
            .gated = gated,
            .norm = ctlm::norm_kind::rms,
            .position = ctlm::position_kind::rope,
            .norm_eps = 1e-6f,
            .rope_theta = 500.0};
  }
};

struct tiny {
  static constexpr plain_rotary_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using lm = ctlm::causal_lm<tiny>;
static_assert(ctlm::model_tag<tiny>);
// An embedding; in each layer two gains, four matrices of attention and two of the feed-forward layer; a last gain.
static_assert(lm::parameters == 23 * 12 + 2 * (2 * 12 + 4 * 12 * 12 + 2 * 12 * 48) + 12);

}  // namespace

TEST_CASE("a spec of the user's own: gradients equal central differences", "[extend]") {
  using smooth = ctlm::causal_lm<tiny, ctlm::weights<ctlm::f64>, ctlm::activation<ctlm::silu>>;  // relu has a corner
  extend::check_gradients<ctlm::trainer<smooth, recipe>>();
}

TEST_CASE("a spec of the user's own: it is trained, quantised and asked", "[extend]") {
  using trainer = ctlm::trainer<lm, recipe>;
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(memory, {.optimizer = {.lr = 1e-2f}});
  const std::vector<ctlm::token> text{3, 1, 4, 15, 9, 2, 6, 5, 8, 7};
  const ctlm::span<const ctlm::token> tokens(text);
  for (int i = 0; i < 120; ++i) t.step(tokens.first(9), tokens.subspan(1, 9));
  using small = ctlm::causal_lm<tiny, ctlm::weights<ctlm::int8<>>>;
  models::running<small> running;
  ctlm::quantise(t.weights(), running.weights);
  ctlm::sampler how;
  std::vector<ctlm::token> made;
  ctlm::generate(running.session, tokens.first(1), how, 8, [&](ctlm::token next) { made.push_back(next); });
  CHECK(made == std::vector<ctlm::token>(text.begin() + 1, text.begin() + 9));
}
