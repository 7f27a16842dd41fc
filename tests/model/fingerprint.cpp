// The fingerprint of a model: every field of its shape shows in it, and it stays what it was.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <set>

using namespace ctlm;

namespace {

struct base {
  static constexpr llama_config config{
      .vocab = 32, .d_model = 16, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 24, .context = 8};
};
struct learned {
  static constexpr gpt2_config config{.vocab = 32, .d_model = 16, .layers = 2, .heads = 4, .context = 8};
};

/// A model of any shape, as far as weights_fingerprint looks at one.
template <class Tag, class Change>
struct changed {
  static constexpr decoder_shape shape = [] {
    decoder_shape s = Tag::config.shape(true);
    Change{}(s);
    return s;
  }();
  static constexpr tensor_table tensors{shape};
  using weight_format = f32;
  using activation_policy = silu;
  using norm = layer_norm;
  using default_norm = layer_norm;
};

template <class Tag, class... Changes>
void all_differ() {
  std::set<std::uint64_t> seen{weights_fingerprint<changed<Tag, Changes>>()...};
  CHECK(seen.size() == sizeof...(Changes));
}

using nothing = decltype([](decoder_shape&) {});

}  // namespace

TEST_CASE("every field of a shape shows in the fingerprint", "[model]") {
  all_differ<
      learned, nothing, decltype([](decoder_shape& s) { s.vocab = 33; }),
      decltype([](decoder_shape& s) { s.d_model = 32; }), decltype([](decoder_shape& s) { s.layers = 3; }),
      decltype([](decoder_shape& s) { s.heads = 8; }), decltype([](decoder_shape& s) { s.kv_heads = 1; }),
      decltype([](decoder_shape& s) { s.head_dim = 8; }), decltype([](decoder_shape& s) { s.d_ff = 25; }),
      decltype([](decoder_shape& s) { s.context = 9; }), decltype([](decoder_shape& s) { s.bias = false; }),
      decltype([](decoder_shape& s) { s.tie_embeddings = false; }), decltype([](decoder_shape& s) { s.gated = false; }),
      decltype([](decoder_shape& s) { s.norm = norm_kind::rms; }),
      decltype([](decoder_shape& s) { s.position = position_kind::rope; }),
      decltype([](decoder_shape& s) { s.norm_eps = 1e-6f; }), decltype([](decoder_shape& s) { s.rope_theta = 1e6; }),
      decltype([](decoder_shape& s) { s.qkv_bias = true; }), decltype([](decoder_shape& s) { s.qk_norm = true; }),
      decltype([](decoder_shape& s) { s.post_norms = true; }),
      decltype([](decoder_shape& s) { s.scaled_embeddings = true; }),
      decltype([](decoder_shape& s) { s.query_scale = 0.25; }),
      decltype([](decoder_shape& s) { s.attention_cap = 50; }), decltype([](decoder_shape& s) { s.logit_cap = 30; }),
      decltype([](decoder_shape& s) { s.window = 4; }), decltype([](decoder_shape& s) { s.full_every = 2; }),
      decltype([](decoder_shape& s) { s.unrotated_every = 4; }), decltype([](decoder_shape& s) { s.rotary_dim = 2; }),
      decltype([](decoder_shape& s) { s.local_theta = 1e4; }),
      decltype([](decoder_shape& s) { s.rope_scaling = rope_kind::yarn; }),
      decltype([](decoder_shape& s) { s.rope_factor = 2; }), decltype([](decoder_shape& s) { s.rope_low = 2; }),
      decltype([](decoder_shape& s) { s.rope_high = 5; }), decltype([](decoder_shape& s) { s.rope_fast = 16; }),
      decltype([](decoder_shape& s) { s.rope_slow = 2; }), decltype([](decoder_shape& s) { s.rope_attention = 1.5; }),
      decltype([](decoder_shape& s) { s.rope_context = 16; }), decltype([](decoder_shape& s) { s.rope_divisors = 3; }),
      decltype([](decoder_shape& s) { s.experts = 4; }), decltype([](decoder_shape& s) { s.experts_per_token = 2; }),
      decltype([](decoder_shape& s) { s.normalised_experts = true; }),
      decltype([](decoder_shape& s) { s.qkv_rank = 2; }), decltype([](decoder_shape& s) { s.out_rank = 2; }),
      decltype([](decoder_shape& s) { s.up_rank = 2; }), decltype([](decoder_shape& s) { s.down_rank = 2; })>();
  int fields = 0;
  decoder_shape::for_each_field([&](const char*, auto) { ++fields; });
  CHECK(fields == 43);  // one more field: one more line above
}

TEST_CASE("the context length shows where positions are learned, and nowhere else", "[model]") {
  using longer = decltype([](decoder_shape& s) { s.context = 9; });
  CHECK(weights_fingerprint<changed<base, nothing>>() == weights_fingerprint<changed<base, longer>>());
  CHECK(weights_fingerprint<changed<learned, nothing>>() != weights_fingerprint<changed<learned, longer>>());
}

TEST_CASE("activation, its parameter and the format show in the fingerprint", "[model]") {
  const std::set<std::uint64_t> all{weights_fingerprint<causal_lm<base>>(),
                                    weights_fingerprint<causal_lm<base, activation<geglu>>>(),
                                    weights_fingerprint<causal_lm<base, weights<f16>>>(),
                                    weights_fingerprint<causal_lm<base, weights<int8<>>>>(),
                                    weights_fingerprint<causal_lm<base, weights<int8<16>>>>(),
                                    weights_fingerprint<causal_lm<base, weights<int8<16, asymmetric>>>>()};
  CHECK(all.size() == 6);
}

TEST_CASE("fingerprints stay what they were: files of earlier versions must load", "[model]") {
  CHECK(weights_fingerprint<causal_lm<base>>() == 0xB6A0EBA6BA9D98BAu);
  CHECK(weights_fingerprint<causal_lm<learned, weights<int4<32>>>>() == 0x3B741F8CAA42AD98u);
  CHECK(first_image_fingerprint<causal_lm<base>>() == 0xE0B4BDF913092BAAu);
  CHECK(causal_lm<base>::tensors.layout_hash() == 0x63FA5C73B5BBFFF4u);
}
