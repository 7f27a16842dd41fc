// Few rows times rows as they are stored, beside the same of decoded rows in double precision; and sessions whose
// contexts have several parts.
#include "catch.hpp"

#include "../model/logits.hpp"
#include "../model/models.hpp"

#include <cmath>

using namespace ctlm;
using namespace models;

#if CTLM_XSIMD
namespace {

std::vector<float> random_numbers(std::size_t n, std::uint64_t seed) {
  rng r{seed};
  std::vector<float> x(n);
  for (auto& v : x) v = static_cast<float>(r.below(20001)) / 10000 - 1;
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("rows are multiplied as they are stored", "[kernels]", f16, bf16, f8_e4m3, int8<>, int8<32>,
                   (int8<64, asymmetric>), (int8<per_channel, asymmetric>), int4<32>, (int4<32, asymmetric>),
                   int4<per_channel>, (int4<64, asymmetric>)) {
  using F = TestType;
  constexpr bool any = multiplies_stored<native, F, 64>;
  if constexpr (any && multiplies_stored<native, F, 96> && multiplies_stored<native, F, 256>) {
    constexpr std::size_t ring = 90;
    for (std::size_t n : {32, 64, 96, 128, 160, 256}) {
      if (n == 32 && !multiplies_stored<native, F, 32>) continue;
      heap_arena memory(matrix_bytes<F>(ring + most_stored_rows, n));
      auto w = F::place(memory, ring + most_stored_rows, n);
      for (std::size_t r = 0; r < ring; ++r) F::encode(w, r, random_numbers(n, n + r).data());
      for (std::size_t trial = 0; trial < 120; ++trial) {
        rng random{trial + n};
        const std::size_t m = 1 + random.below(11), count = 1 + random.below(key_tile), first = random.below(ring);
        const std::size_t before = smaller(count, ring - first);
        const stored_rows<F> rows{w, first, before, before < count ? std::size_t{0} - ring : std::size_t{0}};
        INFO(F::name << " group size " << F::bits << " n " << n << " m " << m << " count " << count << " first "
                     << first);
        const auto q = random_numbers(m * (n + 3), trial), p = random_numbers(m * count, trial + 7);
        auto out = random_numbers(m * n, trial + 9);
        const auto old = out;
        std::vector<float> scores(m * count + 1, 7.0f), decoded(count * n);
        stored_products(native{}, m, count, n, q.data(), n + 3, rows, scores.data(), count);
        add_stored_products(native{}, m, n, count, p.data(), count, rows, out.data(), n);
        for (std::size_t j = 0; j < count; ++j)
          decode_row(portable{}, F{}, matrix<const F>(w), (first + j) % ring, decoded.data() + j * n);
        REQUIRE(scores[m * count] == 7.0f);
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < count; ++j) {
            double exact = 0, size = 0;
            for (std::size_t c = 0; c < n; ++c) {
              const double x = static_cast<double>(q[i * (n + 3) + c]) * static_cast<double>(decoded[j * n + c]);
              exact += x;
              size += std::fabs(x);
            }
            REQUIRE(std::fabs(static_cast<double>(scores[i * count + j]) - exact) <= 2e-5 * size + 1e-6);
          }
          for (std::size_t c = 0; c < n; ++c) {
            double exact = static_cast<double>(old[i * n + c]), size = std::fabs(exact);
            for (std::size_t j = 0; j < count; ++j) {
              const double x = static_cast<double>(p[i * count + j]) * static_cast<double>(decoded[j * n + c]);
              exact += x;
              size += std::fabs(x);
            }
            REQUIRE(std::fabs(static_cast<double>(out[i * n + c]) - exact) <= 1e-6 * size + 1e-6);
          }
        }
      }
    }
  } else {
    CHECK((std::same_as<F, f8_e4m3> || lanes<float, native::isa> < 4));
  }
}

TEST_CASE("a query with a NaN or an infinity has no score", "[kernels]") {
  if constexpr (multiplies_stored<native, int8<>, 64>) {
    heap_arena memory(matrix_bytes<int8<>>(8 + most_stored_rows, 64));
    auto w = int8<>::place(memory, 8 + most_stored_rows, 64);
    for (std::size_t r = 0; r < 8; ++r) int8<>::encode(w, r, random_numbers(64, r).data());
    w.scales[5] = 0x7E00;
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      auto q = random_numbers(3 * 64, 3);
      q[64 + 17] = bad;
      std::vector<float> scores(3 * 8);
      stored_products(native{}, 3, 8, 64, q.data(), 64, stored_rows<int8<>>{w, 0, 8, 0}, scores.data(), 8);
      for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 8; ++j) CHECK(std::isfinite(scores[i * 8 + j]) == (i != 1 && j != 5));
    }
    std::vector<float> zeros(64, 0.0f), tiny(64, 1e-40f), scores(8);
    stored_products(native{}, 1, 8, 64, zeros.data(), 64, stored_rows<int8<>>{w, 0, 5, 0}, scores.data(), 8);
    for (std::size_t j = 0; j < 5; ++j) CHECK(scores[j] == 0.0f);
    stored_products(native{}, 1, 8, 64, tiny.data(), 64, stored_rows<int8<>>{w, 0, 5, 0}, scores.data(), 8);
    for (std::size_t j = 0; j < 5; ++j) CHECK(std::fabs(scores[j]) < 1e-36f);
  }
}
#endif

namespace {

/// A context of five parts, the last of them short.
struct many_parts {
  static constexpr llama_config config{.vocab = 61,
                                       .d_model = 128,
                                       .layers = 2,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .d_ff = 96,
                                       .context = 4 * sequence_part + 40};
};
struct one_window {
  static constexpr gemma3_config config{.vocab = 61,
                                        .d_model = 64,
                                        .layers = 3,
                                        .heads = 2,
                                        .kv_heads = 1,
                                        .head_dim = 32,
                                        .d_ff = 96,
                                        .context = 2 * sequence_part + 90,
                                        .window = sequence_part + 70};
};

template <class M, class... Executor>
std::vector<typename M::real> logits_behind(const std::vector<token>& tokens, std::size_t chunked, Executor&... exec) {
  heap_arena memory(M::weight_bytes + M::session_bytes);
  typename M::weights w(memory);
  randomise<M>(w, 0.3);
  typename M::session s(w, memory, exec...);
  s.take(span<const token>(tokens).subspan(0, chunked));
  std::vector<typename M::real> all;
  for (std::size_t i = chunked; i < tokens.size(); ++i) {
    const auto logits = s.decode(tokens[i]);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

template <class T>
double farthest(const std::vector<T>& a, const std::vector<T>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = worse(most, std::fabs(static_cast<double>(a[i] - b[i])));
  return most;
}

}  // namespace

TEMPLATE_TEST_CASE("the parts of a long sequence are the whole", "[model]", many_parts, one_window) {
  using M = causal_lm<TestType, weights<f64>, prompt_chunk<64>>;
  const auto tokens = random_tokens(M::shape.context, M::shape.vocab);
  const std::size_t n = tokens.size() - 70;
  // Token by token the last positions are attended to in parts; as a chunk they are not.
  const auto expected = [&] {
    heap_arena memory(M::weight_bytes + M::session_bytes);
    typename M::weights w(memory);
    randomise<M>(w, 0.3);
    typename M::session s(w, memory);
    std::vector<double> all;
    s.take(span<const token>(tokens).subspan(0, n));
    s.score(span<const token>(tokens).subspan(n),
            [&](std::size_t, auto logits) { all.insert(all.end(), logits.begin(), logits.end()); });
    return all;
  }();
  CHECK(farthest(expected, logits_behind<M>(tokens, n)) < 1e-12);
}

TEMPLATE_TEST_CASE("threads change no bit of a long sequence, however it is stored", "[model][threads]", f32, f16,
                   int8<>, (int4<32, asymmetric>), (key_value<int8<>, int4<32, asymmetric>>), (rotated<int8<>>),
                   (recent<int4<32, asymmetric>>)) {
  using One = causal_lm<many_parts, kv_cache<TestType>, prompt_chunk<64>>;
  using M = causal_lm<many_parts, kv_cache<TestType>, prompt_chunk<64>, threads<pool<3>>>;
  const auto tokens = random_tokens(One::shape.context, One::shape.vocab);
  for (std::size_t n : {std::size_t{sequence_part - 20}, tokens.size() - 30}) {
    const std::vector<token> some(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n + 30));
    const auto expected = logits_behind<One>(some, n);
    for (std::size_t t : {1, 2, 3}) {
      pool<3> workers(t);
      CHECK(logits_behind<M>(some, n, workers) == expected);
    }
  }
}

TEST_CASE("a cache in 8 bits has the logits of single precision but for its rounding", "[model]") {
  using exact = causal_lm<many_parts, prompt_chunk<64>>;
  using M = causal_lm<many_parts, kv_cache<int8<>>, prompt_chunk<64>>;
  using P = causal_lm<many_parts, kv_cache<int8<>>, backend<portable>, prompt_chunk<64>>;
  const auto tokens = random_tokens(1200, 61);
  const auto expected = logits_behind<exact>(tokens, 1180), decoded = logits_behind<P>(tokens, 1180),
             stored = logits_behind<M>(tokens, 1180);
  const double rounding = farthest(expected, decoded);
  CAPTURE(rounding);
  CHECK(rounding > 0);
  CHECK(farthest(expected, stored) < 1.2 * rounding);
  CHECK(farthest(decoded, stored) < 0.1 * rounding);
}
