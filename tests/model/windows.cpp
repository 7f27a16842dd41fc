// KV caches of layers with a window: rings of the last positions. They take the bytes that one computes by hand, and
// change no bit of any logit: what is compared with is a session that keeps all positions.
#include "catch.hpp"

#include "logits.hpp"

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <tuple>

using namespace ctlm;
using namespace models;

namespace {

constexpr std::size_t context = 640;

/// 128 windows of 5; layer 5 of 7 has none.
struct narrow {
  static constexpr gemma3_config config{.vocab = 23,
                                        .d_model = 16,
                                        .layers = 7,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_dim = 6,
                                        .d_ff = 20,
                                        .context = context,
                                        .window = 5};
};
/// 9 windows of 70, which is more than attention takes at a time (key_tile).
struct wide {
  static constexpr mistral_config config{
      .vocab = 23, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 40, .context = context, .window = 70};
};

/// The same with heads of 16 numbers, which attend in blocks where the processor has tiles.
struct wider {
  static constexpr mistral_config config{
      .vocab = 23, .d_model = 64, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 40, .context = context, .window = 70};
};

/// The same model, whose sessions keep all positions: they take so many at once that a ring would hold the context.
template <class Tag, class... Slots>
using keeping_all = causal_lm<Tag, prompt_chunk<context>, Slots...>;

template <class M>
constexpr bool forgets = cache_layout<typename M::shape_type, M::prompt_chunk_rows>::forgets;

template <class T>
bool same_bits(span<T> a, span<T> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// After how many of 640 tokens all logits of the last one are the same with and without rings; tokens enter as many at
/// a time as there are in `feeds`, from the beginning for each, into sessions that take at most Chunk at once.
template <class Tag, std::size_t Chunk, class... Slots>
std::size_t equal_positions(std::initializer_list<std::size_t> feeds = {Chunk}) {
  using M = causal_lm<Tag, prompt_chunk<Chunk>, Slots...>;
  using All = keeping_all<Tag, Slots...>;
  static_assert(forgets<M> && !forgets<All> && M::cache_bytes < All::cache_bytes);
  running<M> r;
  running<All> all;
  randomise<M>(r.weights, 0.3);
  randomise<All>(all.weights, 0.3);
  const auto tokens = random_tokens(context, M::shape.vocab, 4);
  for (const std::size_t feed : feeds) {
    r.session.reset();
    all.session.reset();
    for (std::size_t i = 0; i < context; i += feed) {
      const auto chunk = span<const token>(tokens).subspan(i, smaller(feed, context - i));
      if (!same_bits(r.session.prefill(chunk), all.session.prefill(chunk))) return i;
    }
  }
  return context;
}

struct whole_context {
  static constexpr train_config config{.batch = 1};
};

}  // namespace

// Bytes, computed by hand.
namespace {

/// Gemma 3 1B: 26 layers, of which 5, 11, 17 and 23 have no window and the others one of 512. A head of keys, 256 wide.
template <std::size_t Window>
struct gemma3_1b {
  static constexpr gemma3_config config{.vocab = 262144,
                                        .d_model = 1152,
                                        .layers = 26,
                                        .heads = 4,
                                        .kv_heads = 1,
                                        .head_dim = 256,
                                        .d_ff = 6912,
                                        .context = 32768,
                                        .window = Window};
};
template <class... Slots>
using gemma = causal_lm<gemma3_1b<512>, weights<bf16>, backend<portable>, Slots...>;
/// The window as long as the context: nothing is forgotten.
template <class... Slots>
using gemma_all = causal_lm<gemma3_1b<32768>, weights<bf16>, backend<portable>, Slots...>;

// A ring holds 511 positions before a chunk of 8, and the chunk; keys and values have 256 numbers of 4 bytes each.
static_assert(gemma<>::cache_bytes == (4 * 32768 + 22 * (511 + 8)) * 256 * 4 * 2);
static_assert(gemma<>::cache_bytes == 291'819'520);
static_assert(gemma_all<>::cache_bytes == 1'744'830'464);
static_assert(gemma<>::session_bytes - gemma<>::cache_bytes == gemma_all<>::session_bytes - gemma_all<>::cache_bytes);
static_assert(gemma<prompt_chunk<1>>::cache_bytes == (4 * 32768 + 22 * 512) * 256 * 4 * 2);
static_assert(gemma<prompt_chunk<128>>::cache_bytes == (4 * 32768 + 22 * (511 + 128)) * 256 * 4 * 2);
static_assert(gemma<kv_cache<f16>>::cache_bytes == 291'819'520 / 2);
// 256 codes and 8 scales of 2 bytes; scales are padded from 2'279'840 bytes to 64s.
static_assert(gemma<kv_cache<int8<32>>>::cache_bytes == 2 * (142'490 * 256 + 2'279'872));

/// Two layers that both have a window.
template <std::size_t Context, std::size_t Window>
struct some_mistral {
  static constexpr mistral_config config{.vocab = 64,
                                         .d_model = 32,
                                         .layers = 2,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .d_ff = 48,
                                         .context = Context,
                                         .window = Window};
};
template <std::size_t Context, std::size_t Window>
constexpr std::size_t cache_of = causal_lm<some_mistral<Context, Window>>::cache_bytes;
static_assert(cache_of<1000, 16> == 2 * 2 * (15 + 8) * 8 * 4 * 2);
static_assert(cache_of<1000000, 16> == cache_of<1000, 16>);
static_assert(cache_of<1000, 0> == 2 * 2 * 1000 * 8 * 4 * 2);
static_assert(cache_of<1000, 992> == 2 * 2 * 999 * 8 * 4 * 2);  // a ring one position shorter than the context
static_assert(cache_of<1000, 993> == cache_of<1000, 0>);
static_assert(cache_of<1000, 5000> == cache_of<1000, 0>);

/// A window that no layer has.
struct all_full {
  static constexpr decoder_shape value{.layers = 2, .kv_heads = 1, .context = 64, .window = 5, .full_every = 1};
};
static_assert(!cache_layout<all_full, 8>::forgets && cache_layout<all_full, 8>::rows == 2 * 64);

}  // namespace

TEST_CASE("rings change no bit, however the rows are cut", "[model]") {
  CHECK(equal_positions<narrow, 7>() == context);
  CHECK(equal_positions<wide, 64>({64, 7, 1}) == context);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(equal_positions<narrow, 1>() == context);
  CHECK(equal_positions<wide, 7>() == context);
#endif
}

namespace {

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using some_caches = std::tuple<int8<4>, key_value<int8<>, int2<>>>;
using caches_in_blocks = std::tuple<bf16, rotated<recent<int2<>, 16>>>;
#else
using some_caches =
    std::tuple<f16, int8<4>, int4<4, asymmetric>, key_value<int8<>, int2<>>, rotated<recent<int2<>, 16>>>;
using caches_in_blocks =
    std::tuple<f16, bf16, int8<>, int4<4, asymmetric>, key_value<int8<>, int2<>>, rotated<recent<int2<>, 16>>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("rings change no bit in any format of the cache", "[model]", some_caches) {
  CHECK(equal_positions<narrow, 7, kv_cache<TestType>>() == context);
}

TEMPLATE_LIST_TEST_CASE("rings change no bit in any format of the cache, in blocks", "[model]", caches_in_blocks) {
  CHECK(equal_positions<wider, 120, kv_cache<TestType>>({120, 8}) == context);
}

TEST_CASE("rings change no bit with other numbers, backends and weights", "[model]") {
  CHECK(equal_positions<narrow, 8, weights<int8<>>, kv_cache<f16>, backend<portable>>() == context);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(equal_positions<wider, 8, kv_cache<int8<>>>() == context);
  CHECK(equal_positions<wide, 8, weights<f64>>() == context);
  CHECK(equal_positions<wide, 8, backend<portable>>() == context);
#endif
}

TEST_CASE("a tile in which a ring ends is put together in the scratch of its worker", "[model]") {
  using layout_shape = shape_of<narrow, true>;
  using cache_type = key_value_cache<layout_shape, f32, 8>;
  constexpr std::size_t dim = 6, heads = 2, ring = 12;
  heap_arena memory(2 * matrix_bytes<f32>(cache_type::layout::rows, dim));
  cache_type cache(memory);
  CHECK(memory.remaining() == 0);
  auto number = [](std::size_t layer, std::size_t head, std::size_t position, std::size_t i) {
    return static_cast<float>(layer + 10 * i + 100 * head) + 1000.0f * static_cast<float>(position);
  };
  for (std::size_t layer = 0; layer < 7; ++layer)
    for (std::size_t p = 0; p < 100; ++p) {
      float keys[heads * dim], values[heads * dim];
      for (std::size_t i = 0; i < heads * dim; ++i) {
        keys[i] = number(layer, i / dim, p, i % dim);
        values[i] = -keys[i];
      }
      cache.store(layer, p, keys, values);
    }
  std::vector<float> scratch(2 * cache_type::tile_scratch);
  auto check_tile = [&](const auto& tile, std::size_t layer, std::size_t head, std::size_t first, std::size_t count) {
    for (std::size_t p = 0; p < count; ++p)
      for (std::size_t i = 0; i < dim; ++i) {
        REQUIRE(tile.keys.data[p * tile.keys.row + i] == number(layer, head, first + p, i));
        REQUIRE(tile.values.data[p * tile.values.row + i] == -number(layer, head, first + p, i));
      }
  };
  for (std::size_t layer = 0; layer < 7; ++layer) {
    const cached_keys<cache_type, native> keys{&cache, layer, scratch.data()};
    for (std::size_t first = 100 - ring; first < 100; ++first) {
      const std::size_t count = 100 - first;
      const auto one = keys.tile({}, 0, first, count, 0), two = keys.tile({}, 1, first, count, 1);
      check_tile(one, layer, 0, first, count);
      check_tile(two, layer, 1, first, count);
      const bool wraps = layer != 5 && first < 96;  // 96 is a multiple of 12
      CHECK((one.keys.data == scratch.data()) == wraps);
    }
  }
  const cached_keys<cache_type, native> everything{&cache, 5, scratch.data()};
  check_tile(everything.tile({}, 1, 0, key_tile, 0), 5, 1, 0, key_tile);
}

namespace {

/// How far the logits of a text of many windows are from those of training, however many tokens enter at a time.
template <class Tag, std::size_t Chunk>
double from_training(std::initializer_list<std::size_t> feeds) {
  using T = trainer<causal_lm<Tag, weights<f64>>, whole_context>;
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  t.start_from([](const auto& w) { randomise<typename T::model>(w, 0.3); });
  const auto tokens = random_tokens(context, T::shape.vocab, 4);
  t.read(tokens);
  const double* logits = t.logits(0, context);
  const std::vector<double> exact(logits, logits + context * T::shape.vocab);
  double worst = 0;
  for (const std::size_t feed : feeds)
    worst = worse(
        worst, largest_difference(exact, logits_of<causal_lm<Tag, weights<f64>, prompt_chunk<Chunk>>>(tokens, feed)));
  return worst;
}

}  // namespace

TEST_CASE("a text of many windows has the logits of training", "[model]") {
  CHECK(from_training<narrow, 7>({7, 1}) < 1e-11);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  CHECK(from_training<wide, 64>({64, 7, 1}) < 1e-11);
#endif
}

TEST_CASE("a session with rings can be rewound as far as it says, and not further", "[model]") {
  using M = causal_lm<narrow, prompt_chunk<8>>;
  using All = keeping_all<narrow>;
  running<M> r;
  running<All> all;
  randomise<M>(r.weights, 0.3);
  randomise<All>(all.weights, 0.3);
  rng random{9};
  std::size_t furthest = 0, refused = 0, went = 0, begun = 0;
  for (std::size_t turn = 0; turn < 600; ++turn) {
    const std::size_t n = 1 + random.below(8), now = r.session.position();
    const std::size_t to = now - smaller(now, random.below(turn % 4 == 0 ? 40 : 10));
    const bool left = to == 0 || furthest <= 12 || to + 8 >= furthest;  // a ring of 4 + 8, of which a row sees 4
    REQUIRE(r.session.can_rewind(to) == left);
    if (context - now < n || turn % 97 == 96) {
      r.session.reset();
      all.session.reset();
      ++begun;
    } else if (!left) {
      ++refused;
    } else if (turn % 3 == 0) {
      r.session.rewind(to);
      all.session.rewind(to);
      went += to < now;
    }
    if (r.session.position() == 0) furthest = 0;
    const auto tokens = random_tokens(smaller(n, context - r.session.position()), M::shape.vocab, turn);
    REQUIRE(same_bits(r.session.prefill(tokens), all.session.prefill(tokens)));
    furthest = larger(furthest, r.session.position());
    REQUIRE(r.session.can_rewind(r.session.position()));
    REQUIRE_FALSE(r.session.can_rewind(r.session.position() + 1));
  }
  CHECK(refused > 20);
  CHECK(went > 50);
  CHECK(begun > 3);
}

TEST_CASE("what a session with rings can be rewound to", "[model]") {
  using M = causal_lm<narrow, prompt_chunk<8>>;  // rings of 12
  running<M> r;
  randomise<M>(r.weights, 0.3);
  const auto tokens = random_tokens(100, M::shape.vocab, 4);
  const span<const token> all = tokens;
  r.session.take(all.first(12));
  for (std::size_t p = 0; p <= 12; ++p) CHECK(r.session.can_rewind(p));
  r.session.take(all.subspan(12, 1));
  CHECK(r.session.can_rewind(0));
  for (std::size_t p = 1; p < 5; ++p) CHECK_FALSE(r.session.can_rewind(p));
  for (std::size_t p = 5; p <= 13; ++p) CHECK(r.session.can_rewind(p));
  r.session.take(all.subspan(13));
  CHECK_FALSE(r.session.can_rewind(91));
  CHECK(r.session.can_rewind(92));
  r.session.rewind(92);
  CHECK_FALSE(r.session.can_rewind(91));
  r.session.take(all.subspan(92, 4));  // stands at 96, and has been at 100
  CHECK_FALSE(r.session.can_rewind(91));
  CHECK(r.session.can_rewind(92));
  r.session.reset();
  r.session.take(all.first(10));
  CHECK(r.session.can_rewind(1));
}

#if CTLM_EXCEPTIONS
TEST_CASE("a session refuses to go back to what its rings have forgotten, in words", "[model]") {
  using M = causal_lm<narrow, prompt_chunk<8>>;
  running<M> r, untouched;
  randomise<M>(r.weights, 0.3);
  randomise<M>(untouched.weights, 0.3);
  const auto tokens = random_tokens(100, M::shape.vocab, 4);
  r.session.take(tokens);
  untouched.session.take(tokens);
  CHECK_THROWS_WITH(r.session.rewind(91),
                    "ctlm: a session cannot go back to position 91: its layers with a window have forgotten what is "
                    "seen from there, and 92 is the first that is left besides 0");
  CHECK_THROWS_WITH(r.session.rewind(1), Catch::Contains("position 1:") && Catch::Contains("92 is the first"));
  CHECK_THROWS_WITH(r.session.rewind(101), "ctlm: a session can only be rewound: it stands at 100, not yet at 101");
  CHECK(r.session.position() == 100);
  CHECK(same_bits(r.session.logits(), untouched.session.logits()));
  CHECK(same_bits(r.session.decode(3), untouched.session.decode(3)));
}
#endif

namespace {

/// Remembers which of its bytes were said to be out of use.
struct told_arena : heap_arena {
  using heap_arena::heap_arena;
  mutable std::vector<std::pair<const void*, std::size_t>> told;
  void release(const void* p, std::size_t bytes) const { told.emplace_back(p, bytes); }
};

}  // namespace

TEST_CASE("rings may lie in an arena of their own, which is told of each byte once", "[model]") {
  using M = causal_lm<narrow, kv_cache<f16>>;
  running<M> expected;
  randomise<M>(expected.weights, 0.3);
  heap_arena memory(M::session_bytes - M::cache_bytes);
  told_arena cache(M::cache_bytes);
  M::session session(expected.weights, memory, cache);
  CHECK(memory.remaining() == 0);
  CHECK(cache.remaining() == 0);
  const auto tokens = random_tokens(100, M::shape.vocab, 4);
  CHECK(same_bits(session.prefill(span<const token>(tokens).first(8)),
                  expected.session.prefill(span<const token>(tokens).first(8))));
  // keys, then values, of one layer after the other: a stretch of keys ends where those of the next layer begin
  REQUIRE(cache.told.size() == 2 * 7);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < cache.told.size(); ++i) {
    const auto [p, n] = cache.told[i];
    CHECK(n == (i / 2 == 5 ? context : 4 + 8) * 2 * 6 * 2);  // positions, heads, numbers, bytes of f16
    if (i + 2 < cache.told.size()) CHECK(cache.told[i + 2].first == static_cast<const std::byte*>(p) + n);
    bytes += n;
  }
  CHECK(round_up(bytes / 2, memory_alignment) * 2 == M::cache_bytes);
  CHECK(same_bits(session.prefill(span<const token>(tokens).subspan(8)),
                  expected.session.prefill(span<const token>(tokens).subspan(8))));
}
