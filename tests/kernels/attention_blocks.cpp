// Attention of a chunk to keys and values that are stored in few bits: beside plain loops in double over the same
// stored numbers, beside single tokens, and with any number of threads.
#include "catch.hpp"

#include "model/models.hpp"
#include "reference.hpp"

#include <cstring>
#include <limits>
#include <tuple>

using namespace ctlm;
using namespace models;

namespace {

constexpr std::size_t context = 700;

/// The shape of one layer whose heads are as wide.
template <std::size_t HeadDim, std::size_t Heads, std::size_t KvHeads, std::size_t Window = 0>
struct layer_of {
  static constexpr decoder_shape make() {
    decoder_shape s;
    s.layers = 1;
    s.heads = Heads;
    s.kv_heads = KvHeads;
    s.head_dim = HeadDim;
    s.context = context;
    s.window = Window;
    return s;
  }
  static constexpr decoder_shape value = make();
};

/// The keys, or the values, of all positions of a head, [context][head_dim], for each of the heads.
using decoded_heads = std::vector<std::vector<float>>;

/// The largest error of what was attended to, over what is allowed: a score may be wrong by the 3 * 2^-16th part of its
/// products' sizes, and two bits of that for sums in single precision. Weights are then wrong by twice that part, and
/// their products with values, in two parts as well, by 3 * 2^-16 more. Where the cap, or the window, is 0, there is
/// none.
double attention_error(const decoder_shape& shape, const std::vector<float>& qkv, const decoded_heads& keys,
                       const decoded_heads& values, const std::vector<float>& out, std::size_t rows,
                       std::size_t position, double cap, std::size_t window) {
  const std::size_t dim = shape.head_dim, group = shape.heads / shape.kv_heads, q_dim = shape.heads * dim;
  const std::size_t qkv_dim = q_dim + 2 * shape.kv_heads * dim;
  double worst = 0;
  for (std::size_t kv = 0; kv < shape.kv_heads; ++kv) {
    const std::vector<float>&k = keys[kv], &v = values[kv];
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t h = kv * group; h < (kv + 1) * group; ++h) {
        const std::size_t sees = position + r + 1;
        const std::size_t from = window > 0 && sees > window ? sees - window : 0;
        std::vector<double> s(sees), sum(dim);
        double highest = -1e300, wrong = 0, largest = 0, total = 0;
        for (std::size_t p = from; p < sees; ++p) {
          double dot = 0, size = 0;
          for (std::size_t i = 0; i < dim; ++i) {
            const double x = static_cast<double>(qkv[r * qkv_dim + h * dim + i]) * static_cast<double>(k[p * dim + i]);
            dot += x;
            size += std::fabs(x);
            largest = worse(largest, std::fabs(static_cast<double>(v[p * dim + i])));
          }
          const double scale = 1 / std::sqrt(static_cast<double>(dim));
          s[p] = dot * scale;
          if (cap > 0) s[p] = cap * std::tanh(s[p] / cap);
          wrong = worse(wrong, size * scale * 3.5 * 0x1p-16);
          highest = worse(highest, s[p]);
        }
        for (std::size_t p = from; p < sees; ++p) {
          const double weight = std::exp(s[p] - highest);
          total += weight;
          for (std::size_t i = 0; i < dim; ++i) sum[i] += weight * static_cast<double>(v[p * dim + i]);
        }
        for (std::size_t i = 0; i < dim; ++i)
          worst = worse(worst, std::fabs(static_cast<double>(out[r * q_dim + h * dim + i]) - sum[i] / total) /
                                   (largest * (2 * wrong + 3.5 * 0x1p-16)));
      }
  }
  return worst;
}

/// A cache of random keys and values, and the queries of a chunk of at most Chunk tokens.
template <class Shape, class S, std::size_t Chunk>
struct layer_in_use {
  static constexpr decoder_shape shape = Shape::value;
  static constexpr std::size_t dim = shape.head_dim, group = shape.heads / shape.kv_heads;
  static constexpr head_shape heads{shape.heads, shape.kv_heads, dim};
  using cache_type = typename cache_for<Shape, S, Chunk>::type;
  using keys_type = cached_keys<cache_type, native, Chunk>;
  static constexpr std::size_t workers = 3;

  heap_arena memory{measure([](auto& a) {
    (void)cache_type(a);
    a.template allocate<float>(workers * keys_type::scratch_numbers + 1);
    for (std::size_t i = 0; i < workers; ++i)
      (void)attention_workspace<float>::place(a, native{}, larger(query_tile, group), dim, false);
  })};
  cache_type cache{memory};
  float* scratch = memory.allocate<float>(workers * keys_type::scratch_numbers + 1);
  attention_workspace<float> ws[workers];
  std::vector<float> parts = std::vector<float>(keys_type::part_numbers);
  std::vector<float> qkv = std::vector<float>(Chunk * heads.qkv_dim());

  layer_in_use() {
    for (auto& w : ws) w = attention_workspace<float>::place(memory, native{}, larger(query_tile, group), dim, false);
    scratch[workers * keys_type::scratch_numbers] = 5;
  }
  void store(std::size_t position, const std::vector<float>& kv) {
    cache.store(0, position, kv.data(), kv.data() + heads.kv_dim());
  }
  /// Keys and values of a position. One number is larger than the others.
  static std::vector<float> numbers(std::uint64_t seed, std::size_t position, double size) {
    auto kv = reference::random<float>(2 * heads.kv_dim(), seed * context + position, size);
    kv[position % kv.size()] *= 4;
    return kv;
  }
  /// Fills the cache up to a position, and the queries.
  void fill(std::size_t positions, std::uint64_t seed, double size) {
    for (std::size_t p = positions > cache_type::layout::ring ? positions - cache_type::layout::ring : 0; p < positions;
         ++p)
      store(p, numbers(seed, p, size));
    qkv = reference::random<float>(qkv.size(), seed, size);
  }
  keys_type keys() { return {&cache, 0, scratch, parts.data()}; }

  template <class Rules, class Executor>
  std::vector<float> attend(const Rules& rules, std::size_t rows, std::size_t position, Executor& exec) {
    std::vector<float> out(rows * heads.q_dim(), 7.0f);
    const ruled_heads<Rules> ruled{shape.heads, shape.kv_heads, dim, 0, rules};
    attention_forward(native{}, exec, ruled, session_rows{rows, position}, static_cast<const float*>(qkv.data()),
                      keys(), out.data(), static_cast<float*>(nullptr), dropout_mask{}, ws);
    CHECK(scratch[workers * keys_type::scratch_numbers] == 5);
    return out;
  }

  /// attention_error of these results.
  template <class Rules>
  double error(const std::vector<float>& out, const Rules& rules, std::size_t rows, std::size_t position) {
    decoded_heads keys, values;
    const std::size_t end = position + rows,
                      begin = end > cache_type::layout::ring ? end - cache_type::layout::ring : 0;
    std::vector<float> tile(cache_type::tile_scratch);
    for (std::size_t kv = 0; kv < shape.kv_heads; ++kv) {
      keys.emplace_back(context * dim);
      values.emplace_back(context * dim);
      for (std::size_t p = begin; p < end; ++p) {
        const auto one = cache.tile(portable{}, 0, kv, p, 1, tile.data());
        std::memcpy(&keys[kv][p * dim], one.keys.data, dim * sizeof(float));
        std::memcpy(&values[kv][p * dim], one.values.data, dim * sizeof(float));
      }
    }
    double cap = 0;
    std::size_t window = 0;
    if constexpr (Rules::capped) cap = static_cast<double>(rules.cap);
    if constexpr (Rules::windowed) window = rules.window;
    return attention_error(shape, qkv, keys, values, out, rows, position, cap, window);
  }
};

/// Chunks of random sizes at random positions.
template <class L, class Rules>
void try_chunks(const Rules& rules, std::size_t most_rows, std::size_t trials) {
  serial exec;
#if CTLM_FEW_TRIALS  // under an emulator or a sanitizer: minutes
  trials = (trials + 3) / 4;
#endif
  rng r{L::dim};
  double worst = 0;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    L layer;
    const std::size_t rows = 1 + r.below(most_rows), position = r.below(trial % 3 == 0 ? 20 : context - rows);
    INFO("rows " << rows << " position " << position << " head size " << L::dim << " group " << L::group);
    layer.fill(position + rows, trial, trial % 2 == 0 ? 1 : 0.3);
    const double error = layer.error(layer.attend(rules, rows, position, exec), rules, rows, position);
    REQUIRE(error < 1);
    worst = worse(worst, error);
  }
  if constexpr (Rules::windowed)
    if (rules.window == 1) return;  // a softmax of one score is 1, and there need not be an error
  CHECK(worst > 1e-4);              // an error that is nothing was not measured
}

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using chunk_caches = std::tuple<bf16, int8<16>, int4<16, asymmetric>, key_value<bf16, int8<>>>;
using single_caches = std::tuple<int8<32>, key_value<int8<>, bf16>>;
using session_caches = std::tuple<rotated<recent<int4<32>, 32>>>;
#else
using chunk_caches = std::tuple<bf16, f16, int8<>, int8<16>, int4<16, asymmetric>, key_value<bf16, int8<>>,
                                key_value<int8<16>, bf16>, recent<int4<16>, 32>>;
using single_caches = std::tuple<bf16, f16, int8<>, int8<32>, int4<32, asymmetric>, key_value<int8<>, bf16>>;
using session_caches = std::tuple<bf16, int8<32>, rotated<recent<int4<32>, 32>>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("a chunk attends to stored keys as their numbers in double say", "[kernels]", chunk_caches) {
  try_chunks<layer_in_use<layer_of<64, 6, 2>, TestType, 128>>(plain_scores{}, 128, 12);
  try_chunks<layer_in_use<layer_of<80, 3, 1>, TestType, 96>>(plain_scores{}, 96, 6);
}

TEST_CASE("a chunk attends with narrow heads, and with wide ones of which many share keys", "[kernels]") {
  try_chunks<layer_in_use<layer_of<16, 4, 4>, recent<int4<16>, 32>, 64>>(plain_scores{}, 64, 12);
  try_chunks<layer_in_use<layer_of<128, 8, 1>, int8<>, 48>>(plain_scores{}, 48, 6);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  try_chunks<layer_in_use<layer_of<16, 4, 4>, bf16, 64>>(plain_scores{}, 64, 12);
  try_chunks<layer_in_use<layer_of<16, 4, 4>, int8<16>, 64>>(plain_scores{}, 64, 12);
  try_chunks<layer_in_use<layer_of<128, 8, 1>, bf16, 48>>(plain_scores{}, 48, 6);
#endif
}

TEST_CASE("a chunk attends with capped scores and within windows", "[kernels]") {
  try_chunks<layer_in_use<layer_of<32, 4, 2>, bf16, 64>>(score_rules<true, false>{0.7f}, 64, 20);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  try_chunks<layer_in_use<layer_of<32, 4, 2>, int8<32>, 64>>(score_rules<true, false>{2}, 64, 20);
#endif
  for (std::size_t window : {1, 5, 64, 100})
    try_chunks<layer_in_use<layer_of<48, 4, 2>, f16, 130>>(score_rules<false, true>{0, window}, 130, 12);
  try_chunks<layer_in_use<layer_of<32, 2, 2, 90>, int8<32>, 64>>(score_rules<true, true>{3, 90}, 64, 20);  // a ring
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  try_chunks<layer_in_use<layer_of<32, 2, 2, 90>, bf16, 64>>(score_rules<false, true>{0, 90}, 64, 20);
#endif
}

TEST_CASE("a chunk's rows that see a number that is none become so, and no others", "[kernels]") {
  using L = layer_in_use<layer_of<32, 4, 2>, f16, 100>;
  serial exec;
  constexpr float none = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const bool in_key : {true, false})
    for (const float bad : {none, infinity}) {
      L layer;
      layer.fill(300, 3, 1);
      const auto expected = layer.attend(plain_scores{}, 100, 200, exec);
      auto kv = L::numbers(3, 240, 1);
      kv[in_key ? 3 : L::heads.kv_dim() + 3] = bad;  // of the first head of keys
      layer.store(240, kv);
      const auto out = layer.attend(plain_scores{}, 100, 200, exec);
      for (std::size_t r = 0; r < 100; ++r)
        for (std::size_t h = 0; h < 4; ++h) {
          const bool sees = r >= 40 && h < 2;
          std::size_t not_finite = 0;
          double apart = 0;
          for (std::size_t at = (r * 4 + h) * 32; at < (r * 4 + h + 1) * 32; ++at) {
            not_finite += !std::isfinite(out[at]);
            apart = worse(apart, std::fabs(static_cast<double>(out[at] - expected[at])));
          }
          if (!sees)
            REQUIRE(apart < 1e-4);
          else if (!in_key)
            REQUIRE(not_finite == 1);
          else if (bad != infinity)  // where it is one, its score may be the lowest
            REQUIRE(not_finite == 32);
        }
    }
}

TEST_CASE("a chunk with large numbers, and tiny ones, has finite results", "[kernels]") {
  using L = layer_in_use<layer_of<32, 4, 2>, bf16, 40>;
  serial exec;
  for (double size : {1e-30, 1e-3, 30.0, 1e6, 1e18}) {
    L layer;
    layer.fill(240, 3, size);
    for (const float x : layer.attend(plain_scores{}, 40, 200, exec)) {
      REQUIRE(std::isfinite(x));
      REQUIRE(std::fabs(static_cast<double>(x)) < 40 * size);
    }
  }
}

TEST_CASE("no bit of a chunk's attention depends on the number of threads", "[kernels][threads]") {
  using L = layer_in_use<layer_of<64, 6, 2>, int8<32>, 128>;
  L layer;
  layer.fill(628, 5, 1);
  serial alone;
  const auto expected = layer.attend(plain_scores{}, 128, 500, alone);
  for (std::size_t t : {1, 2, 3}) {
    pool<3> workers(t);
    CHECK(layer.attend(plain_scores{}, 128, 500, workers) == expected);
  }
}

TEMPLATE_LIST_TEST_CASE("a chunk attends as its tokens do one by one", "[kernels]", single_caches) {
  using L = layer_in_use<layer_of<64, 6, 2>, TestType, 128>;
  serial exec;
  L layer;
  layer.fill(628, 5, 1);
  const auto at_once = layer.attend(plain_scores{}, 128, 500, exec);
  double apart = 0;
  for (std::size_t r = 0; r < 128; ++r) {
    const auto one = layer.attend(plain_scores{}, 1, 500 + r, exec);
    for (std::size_t i = 0; i < one.size(); ++i)
      apart = worse(apart, std::fabs(static_cast<double>(one[i] - at_once[r * one.size() + i])));
    layer.qkv.erase(layer.qkv.begin(), layer.qkv.begin() + L::heads.qkv_dim());
  }
  CHECK(apart > 0);
  CHECK(apart < 1e-4);
}

namespace {

/// Heads wide enough for blocks; three of queries share keys.
struct wide_heads {
  static constexpr llama_config config{
      .vocab = 61, .d_model = 192, .layers = 2, .heads = 6, .kv_heads = 2, .d_ff = 64, .context = 160};
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a session has the bytes for blocks that it promises", "[model]", session_caches) {
  using M = causal_lm<wide_heads, kv_cache<TestType>, prompt_chunk<64>>;
  running<M> r;
  CHECK(r.session_memory.remaining() == 0);
  using few = causal_lm<wide_heads, kv_cache<TestType>, prompt_chunk<64>, threads<pool<2>>>;
  if constexpr (attends_in_blocks<native>)
    CHECK(few::session_bytes - M::session_bytes >= attention_block::scratch(3, 32, 64) * sizeof(float));
}
