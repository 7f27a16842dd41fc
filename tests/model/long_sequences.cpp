// Sessions whose contexts have several parts: these are the whole, and neither threads nor ways of storing change that.
#include "catch.hpp"

#include "logits.hpp"
#include "models.hpp"
#include "worse.hpp"

#include <cmath>

using namespace ctlm;
using namespace models;

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
    for (std::size_t t : {2, 3}) {
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
