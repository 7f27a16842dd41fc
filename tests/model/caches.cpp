// KV caches that are more than a format: rotated<P>, and recent<F>, whose newest positions are in a better one.
#include "catch.hpp"

#include "architectures.hpp"
#include "logits.hpp"

#include <cmath>
#include <cstring>
#include <tuple>

using namespace ctlm;
using namespace models;
using namespace architectures;

namespace {

/// Heads of 6 numbers, windows of 5 in six of seven layers, two heads of keys for four of queries.
struct narrow {
  static constexpr gemma3_config config{.vocab = 23,
                                        .d_model = 16,
                                        .layers = 7,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_dim = 6,
                                        .d_ff = 20,
                                        .context = 200,
                                        .window = 5};
};
struct long_llama {
  static constexpr llama_config config{
      .vocab = 61, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 44, .context = 200};
};

/// A rotation from outside the library: numbers change places, and some their signs.
struct reversed {
  static constexpr bool fits(std::size_t) { return true; }
  template <class Backend, class T>
  static constexpr void forward(Backend, std::size_t n, T* x) {
    for (std::size_t i = 0; i < n / 2; ++i) {
      const T first = x[i];
      x[i] = -x[n - 1 - i];
      x[n - 1 - i] = first;
    }
  }
  template <class Backend, class T>
  static constexpr void backward(Backend, std::size_t n, T* x) {
    for (std::size_t i = 0; i < n / 2; ++i) {
      const T first = x[n - 1 - i];
      x[n - 1 - i] = -x[i];
      x[i] = first;
    }
  }
};
static_assert(head_rotation<hadamard> && head_rotation<reversed>);

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using rotated_models = std::tuple<tiny_gpt2, narrow>;
using turned_models = std::tuple<narrow>;
using long_models = std::tuple<narrow>;
#else
using rotated_models = std::tuple<tiny_gpt2, tiny_llama, tiny_llama3, tiny_mistral, tiny_qwen3, tiny_smollm3, tiny_phi3,
                                  tiny_gemma2, tiny_gemma3, narrow>;
using turned_models = std::tuple<tiny_llama, tiny_qwen3, narrow>;
using long_models = std::tuple<narrow, long_llama>;
#endif

}  // namespace

TEMPLATE_TEST_CASE("the transform is the product with Hadamard's matrix, and its own inverse", "[kernels]", float,
                   double) {
  const double limit = std::is_same_v<TestType, float> ? 1e-6 : 1e-15;
  for (std::size_t n : {2, 4, 8, 64, 80, 96, 6}) {
    std::size_t block = 1;
    while (n % (2 * block) == 0) block *= 2;
    rng r{n};
    std::vector<TestType> x(n);
    for (auto& v : x) v = static_cast<TestType>(static_cast<double>(r.below(2000)) / 1000 - 1);
    auto y = x, portable_y = x;
    hadamard::forward(native{}, n, y.data());
    hadamard::forward(portable{}, n, portable_y.data());
    CHECK(y == portable_y);  // to the bit
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < block; ++j) {
        const std::size_t common = (i % block) & j;
        const bool odd = __builtin_popcountll(common) % 2 == 1;
        sum += (odd ? -1 : 1) * static_cast<double>(x[i / block * block + j]);
      }
      CHECK(std::fabs(static_cast<double>(y[i]) - sum / std::sqrt(static_cast<double>(block))) < limit * 8);
    }
    hadamard::backward(native{}, n, y.data());
    for (std::size_t i = 0; i < n; ++i) CHECK(std::fabs(static_cast<double>(y[i] - x[i])) < limit * 4);
  }
}

TEMPLATE_LIST_TEST_CASE("a rotation changes no logit, in any architecture", "[model]", rotated_models) {
  using M = causal_lm<TestType, weights<f64>>;
  const auto tokens = random_tokens(smaller(M::shape.context, 40), M::shape.vocab);
  CHECK(largest_difference(logits_of<M>(tokens),
                           logits_of<causal_lm<TestType, weights<f64>, kv_cache<rotated<f64>>>>(tokens)) < 1e-12);
}

TEMPLATE_LIST_TEST_CASE("a rotation changes no logit, whatever it is and in whatever numbers", "[model]",
                        turned_models) {
  using M = causal_lm<TestType, weights<f64>>;
  const auto tokens = random_tokens(smaller(M::shape.context, 40), M::shape.vocab);
  const auto expected = logits_of<M>(tokens);
  CHECK(largest_difference(
            expected, logits_of<causal_lm<TestType, weights<f64>, kv_cache<rotated<f64, reversed>>>>(tokens)) < 1e-12);
  // In single precision, rounding adds no more than it does without a rotation.
  const double rounding = largest_difference(expected, logits_of<causal_lm<TestType>>(tokens)) +
                          largest_difference(expected, logits_of<causal_lm<TestType, backend<portable>>>(tokens));
  CAPTURE(rounding);
  CHECK(largest_difference(expected, logits_of<causal_lm<TestType, kv_cache<rotated<f32>>>>(tokens)) < 2 * rounding);
  CHECK(largest_difference(expected,
                           logits_of<causal_lm<TestType, kv_cache<rotated<f32>>, backend<portable>, prompt_chunk<1>>>(
                               tokens)) < 2 * rounding);
}

TEST_CASE("a rotation spreads what is large in one place: int4 loses less", "[model]") {
  constexpr std::size_t n = 64, rows = 100;
  using F = int4<32, asymmetric>;
  heap_arena memory(matrix_bytes<F>(1, n));
  const auto m = F::place(memory, 1, n);
  rng r{3};
  auto error_of = [&](bool turn) {
    double error = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<float> x(n), q(n), y(n);
      for (std::size_t i = 0; i < n; ++i) {
        x[i] = static_cast<float>(r.below(2001)) / 1000 - 1;
        q[i] = static_cast<float>(r.below(2001)) / 1000 - 1;
      }
      x[5] += 20;
      x[40] -= 30;
      q[5] *= 0.1f;
      q[40] *= 0.1f;
      if (turn) {
        hadamard::forward(native{}, n, x.data());
        hadamard::forward(native{}, n, q.data());
      }
      F::encode(m, 0, x.data());
      decode_row(native{}, F{}, m, 0, y.data());
      double dot = 0;
      for (std::size_t i = 0; i < n; ++i) dot += static_cast<double>(q[i]) * static_cast<double>(y[i] - x[i]);
      error += dot * dot;
    }
    return error;
  };
  CHECK(error_of(true) < 0.5 * error_of(false));
}

TEST_CASE("a cache with recent positions takes the bytes that one computes by hand", "[model]") {
  using F = int4<32, asymmetric>;
  using plain = causal_lm<long_llama, kv_cache<int4<8, asymmetric>>>;
  using M = causal_lm<long_llama, kv_cache<recent<int4<8, asymmetric>, 16>>>;
  // 4 first ones and 2 blocks of 16, of 8 numbers in 16 bits, of 2 heads of 2 layers; keys and values, padded to 64
  static_assert(M::cache_bytes == plain::cache_bytes + 2 * round_up(std::size_t{(4 + 32) * 8 * 2 * 2 * 2}, 64));
  static_assert(causal_lm<long_llama, kv_cache<rotated<F>>>::cache_bytes ==
                causal_lm<long_llama, kv_cache<F>>::cache_bytes);
  CHECK(logits_of<M>(random_tokens(20, 61)).size() == 20 * 61);
}

TEST_CASE("what is recent is exact", "[model]") {
  const auto tokens = random_tokens(32, 23);
  using coarse = recent<int2<2>, 16, f32>;
  using M = causal_lm<narrow, kv_cache<coarse>>;
  CHECK(logits_of<causal_lm<narrow>>(tokens, 1) == logits_of<M>(tokens, 1));  // two blocks: to the bit
  const auto longer = random_tokens(48, 23);
  CHECK(largest_difference(logits_of<causal_lm<narrow>>(longer, 1), logits_of<M>(longer, 1)) > 1e-4);
}

TEMPLATE_LIST_TEST_CASE("which positions are exact does not depend on chunks", "[model]", long_models) {
  const auto tokens = random_tokens(150, 23);
  using C = rotated<recent<int2<2>, 8, f16>>;
  const auto one = logits_of<causal_lm<TestType, kv_cache<C>, prompt_chunk<1>>>(tokens);
  using in_chunks = causal_lm<TestType, kv_cache<C>, prompt_chunk<64>>;
  CHECK(largest_difference(one, logits_of<in_chunks>(tokens, 7)) < 1e-3);
  CHECK(largest_difference(one, logits_of<in_chunks>(tokens, 29)) < 1e-3);
  CHECK(largest_difference(one, logits_of<causal_lm<TestType, kv_cache<int2<2>>>>(tokens)) > 0.02);
}

TEST_CASE("tiles hold exact rows and coded ones, where they belong", "[model]") {
  using layout_shape = shape_of<narrow, true>;
  using P = recent<int8<>, 8, f32>;
  using cache_type = recent_cache<layout_shape, P, 8>;
  constexpr std::size_t dim = 6, heads = 2;
  heap_arena memory(measure([](auto& a) { (void)cache_type(a); }));
  cache_type cache(memory);
  CHECK(memory.remaining() == 0);
  // multiples of 0.3 beside 127: what int8 makes of them are multiples of 1
  auto number = [](std::size_t position, std::size_t i) {
    return i == 0 ? 127.0f : 0.3f + static_cast<float>(position % 100);
  };
  auto store = [&](std::size_t position) {
    for (std::size_t layer = 0; layer < 7; ++layer) {
      float keys[heads * dim], values[heads * dim];
      for (std::size_t i = 0; i < heads * dim; ++i) values[i] = -(keys[i] = number(position, i % dim));
      cache.store(layer, position, keys, values);
    }
  };
  std::vector<float> scratch(cache_type::tile_scratch);
  auto check = [&](std::size_t newest, std::size_t first_exact) {
    const std::size_t first = newest > 40 ? newest - 40 : 0;  // layer 5 keeps all of them
    for (std::size_t from = first; from <= newest; from += 3) {
      const std::size_t count = newest + 1 - from;
      const auto tile = cache.tile(native{}, 5, 1, from, count, scratch.data());
      for (std::size_t p = from; p <= newest; ++p)
        for (std::size_t i = 1; i < dim; ++i) {
          const bool exact = p < 4 || p >= first_exact;
          const float expected = exact ? number(p, i) : static_cast<float>(p);
          INFO("newest " << newest << " position " << p);
          REQUIRE(tile.keys.data[(p - from) * dim + i] == expected);
          REQUIRE(tile.values.data[(p - from) * dim + i] == -expected);
        }
    }
  };
  for (std::size_t p = 0; p < 90; ++p) {
    store(p);
    check(p, p < 16 ? 0 : p / 8 * 8 - 8);
  }
  for (std::size_t p = 80; p < 90; ++p) {  // went back to 80: 74 and later are still there
    store(p);
    check(p, 74 > p / 8 * 8 - 8 ? 74 : p / 8 * 8 - 8);
  }
  for (std::size_t p = 30; p < 40; ++p) {  // far back: nothing but what came since
    store(p);
    check(p, 30);
  }
  store(0);
  check(0, 0);
}

TEST_CASE("a session with recent positions can be reset, and rewound within them", "[model]") {
  using M = causal_lm<long_llama, kv_cache<rotated<recent<int4<8>, 8>>>>;
  running<M> r;
  randomise<M>(r.weights, 0.3);
  const auto tokens = random_tokens(61, 61);
  const auto first = r.session.prefill(tokens);
  const std::vector<float> expected(first.begin(), first.end());
  auto differs = [&](auto logits) {
    double w = 0;
    for (std::size_t i = 0; i < 61; ++i) w = worse(w, std::fabs(static_cast<double>(logits[i] - expected[i])));
    return w;
  };
  r.session.rewind(58);
  CHECK(differs(r.session.prefill(span<const token>(tokens).subspan(58))) < 1e-4);
  r.session.rewind(20);
  CHECK(differs(r.session.prefill(span<const token>(tokens).subspan(20))) < 1);  // some are read in int4 meanwhile
  r.session.reset();
  CHECK(differs(r.session.prefill(tokens)) == 0);
}

TEST_CASE("what was stored and is no number reaches the logits", "[model]") {
  using M = causal_lm<long_llama, kv_cache<rotated<recent<int4<8>, 8>>>>;
  running<M> r;
  randomise<M>(r.weights, 0.3);
  const auto bad = r.weights.vector_of(tensor_id::norm1_weight, 0);
  const float before = bad[0];
  for (int i = 0; i < 5; ++i) r.session.decode(1);
  const_cast<float&>(bad[0]) = std::numeric_limits<float>::quiet_NaN();
  r.session.decode(2);
  const_cast<float&>(bad[0]) = before;
  for (int i = 0; i < 40; ++i) r.session.decode(3);
  CHECK(std::isnan(r.session.decode(4)[0]));
}
