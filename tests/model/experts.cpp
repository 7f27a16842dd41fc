// Experts: which are chosen, which matrices are read, and the same numbers as a model without experts where all agree.
#include "catch.hpp"

#include "architectures.hpp"
#include "models.hpp"
#include "worse.hpp"

#include <cmath>
#include <limits>

using namespace architectures;
using namespace models;

namespace {

/// What products read of the weights, from the first byte to behind the last.
struct stretch {
  const std::byte* begin;
  const std::byte* end;
};

/// The portable backend, which notes what its products read.
struct counting : portable {
  static inline std::vector<stretch> read;

  template <class T>
  static void note(const T* p, std::size_t n) {
    const auto* const begin = reinterpret_cast<const std::byte*>(p);
    read.push_back({begin, begin + n * sizeof(T)});
  }
};

template <class T, class Left, class Right>
void gemm(counting, std::size_t m, std::size_t n, std::size_t k, strided<Left> a, strided<Right> b, T* c,
          std::size_t ldc, bool accumulate, T* workspace) {
  counting::note(b.data, n * k);
  gemm(portable{}, m, n, k, a, b, c, ldc, accumulate, workspace);
}
template <class F>
void quantised_stripe(counting, F, const matrix<const F>& w, std::size_t stripe, std::size_t m, const quantised_rows& q,
                      float* y) {
  if (m > 0) counting::note(w.codes + stripe * F::stripe_bytes(w.cols), F::stripe_bytes(w.cols));
  quantised_stripe(portable{}, F{}, w, stripe, m, q, y);
}

/// Bytes of a matrix that were read, as often as they were.
template <class View>
std::size_t bytes_read(View m) {
  std::size_t total = 0, part = 0;
  View::format::for_each_part(m, [&](const auto* p, std::size_t bytes) {
    const auto* const begin = reinterpret_cast<const std::byte*>(p);
    for (const stretch& s : counting::read)
      if (part == 0 && s.begin >= begin && s.end <= begin + bytes) total += static_cast<std::size_t>(s.end - s.begin);
    ++part;
  });
  return total;
}
template <class View>
std::size_t bytes_of(View m) {
  std::size_t total = 0, part = 0;
  View::format::for_each_part(m, [&](const auto*, std::size_t bytes) { total += part++ == 0 ? bytes : 0; });
  return total;
}

/// How many experts of a layer were read; all of their two matrices, once. 1000 if some were read in another way.
template <class M>
std::size_t experts_read(const typename M::const_weights& w, std::size_t layer) {
  std::size_t experts = 0;
  for (std::size_t e = 0; e < M::shape.experts; ++e) {
    const auto up = w.template expert_of<tensor_id::up_weight>(layer, e);
    const auto down = w.template expert_of<tensor_id::down_weight>(layer, e);
    const bool none = bytes_read(up) == 0 && bytes_read(down) == 0;
    const bool once = bytes_read(up) == bytes_of(up) && bytes_read(down) == bytes_of(down);
    experts += none ? 0 : once ? 1 : 1000;
  }
  return experts;
}

/// Eight rows at most, so that a stripe of integers is read once for all of them.
template <class F>
using counted = causal_lm<tiny_qwen3_moe, weights<F>, backend<counting>, prompt_chunk<8>>;

std::vector<std::uint32_t> choice(std::vector<float> probabilities, std::size_t take) {
  std::vector<std::uint32_t> chosen(take);
  routing_detail::choose(probabilities.size(), static_cast<const float*>(probabilities.data()), take, chosen.data());
  return chosen;
}

template <class M>
std::vector<float> logits_of(typename M::session& session) {
  std::vector<float> all;
  session.reset();
  session.score(random_tokens(40, M::shape.vocab, 4),
                [&](std::size_t, span<float> logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  return all;
}
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double w = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < smaller(a.size(), b.size()); ++i)
    w = worse(w, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return w;
}

struct one_expert {  // tiny_mistral, whose feed-forward layers are each the only expert
  static constexpr mixtral_config config{.vocab = 23,
                                         .d_model = 16,
                                         .layers = 2,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .d_ff = 20,
                                         .context = 64,
                                         .rope_theta = tiny_mistral::config.rope_theta,
                                         .experts = 1,
                                         .experts_per_token = 1,
                                         .window = 5};
};
struct three_experts {
  static constexpr mixtral_config config = [] {
    mixtral_config c = one_expert::config;
    c.experts = 3;
    c.experts_per_token = 2;
    return c;
  }();
};

/// Fills weights with those of tiny_mistral: all experts are the same.
template <class M>
void copy_dense(const causal_lm<tiny_mistral>::weights& from, const typename M::weights& to) {
  for (const tensor_info& t : causal_lm<tiny_mistral>::tensors) {
    const auto source = from.numbers(t);
    const tensor_info& ours = M::tensors.of(t.id);
    const auto target = to.numbers(ours);
    const std::size_t piece = t.rows * t.cols, copies = ours.pieces;
    for (std::size_t layer = 0; layer < t.layers; ++layer)
      for (std::size_t e = 0; e < copies; ++e)
        for (std::size_t i = 0; i < piece; ++i) target[(layer * copies + e) * piece + i] = source[layer * piece + i];
  }
}

struct experts_recipe {
  static constexpr train_config config{.batch = 2, .sequence = 16};
};

}  // namespace

TEST_CASE("the highest probabilities are chosen, of equal ones the first", "[model]") {
  using list = std::vector<std::uint32_t>;
  CHECK(choice({0.1f, 0.4f, 0.2f, 0.3f}, 2) == list{1, 3});
  CHECK(choice({0.25f, 0.25f, 0.25f, 0.25f}, 3) == list{0, 1, 2});
  CHECK(choice({0.1f, 0.2f, 0.1f, 0.2f}, 4) == list{1, 3, 0, 2});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(choice({nan, nan, nan}, 2) == list{0, 1});
}

TEST_CASE("a token reads the matrices of its experts alone, and a chunk each expert's once", "[model]") {
  auto check = []<class M>(running<M>& r) {
    randomise<M>(r.weights, 0.3);
    const auto tokens = random_tokens(20, M::shape.vocab, 3);
    for (std::size_t i = 0; i < 12; ++i) {
      counting::read.clear();
      r.session.take(span<const token>(tokens).subspan(i, 1));
      for (std::size_t layer = 0; layer < M::shape.layers; ++layer)
        CHECK(experts_read<M>(r.weights, layer) == M::shape.experts_per_token);
    }
    counting::read.clear();
    r.session.take(span<const token>(tokens).subspan(12, 8));
    for (std::size_t layer = 0; layer < M::shape.layers; ++layer) {
      CHECK(experts_read<M>(r.weights, layer) > M::shape.experts_per_token);
      CHECK(experts_read<M>(r.weights, layer) <= M::shape.experts);
    }
  };
  running<counted<f32>> single;
  running<counted<int8<>>> few_bits;
  check(single);
  check(few_bits);
}

TEST_CASE("experts that agree are a model without experts", "[model]") {
  running<causal_lm<tiny_mistral>> dense;
  running<causal_lm<three_experts>> three;
  randomise<causal_lm<tiny_mistral>>(dense.weights, 0.3);
  randomise<causal_lm<three_experts>>(three.weights, 0.3);  // its router
  copy_dense<causal_lm<three_experts>>(dense.weights, three.weights);
  const auto expected = logits_of<causal_lm<tiny_mistral>>(dense.session);
  CHECK(largest_difference(expected, logits_of<causal_lm<three_experts>>(three.session)) < 1e-4);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  running<causal_lm<one_expert>> one;
  copy_dense<causal_lm<one_expert>>(dense.weights, one.weights);
  CHECK(largest_difference(expected, logits_of<causal_lm<one_expert>>(one.session)) < 1e-5);
#endif
}

TEST_CASE("experts in few bits are what their decoded numbers are", "[model]") {
  using M = causal_lm<tiny_mixtral>;
  auto check = []<class Q>(running<Q>& q) {
    running<M> exact, again;
    randomise<M>(exact.weights, 0.3);
    quantise(exact.weights, q.weights);
    decode_weights(q.weights, again.weights);
    CHECK(largest_difference(logits_of<Q>(q.session), logits_of<M>(again.session)) < 2e-4);
    CHECK(largest_difference(logits_of<M>(exact.session), logits_of<M>(again.session)) > 1e-3);
  };
  running<causal_lm<tiny_mixtral, weights<int4<8, asymmetric>>, compute<decoded>>> four;
  check(four);
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  running<causal_lm<tiny_mixtral, weights<int8<>>, compute<decoded>>> eight;
  running<causal_lm<tiny_mixtral, weights<bf16>>> halves;
  check(eight);
  check(halves);
#endif
}

TEST_CASE("threads change no bit of a model with experts", "[model][threads]") {
  using M = causal_lm<tiny_qwen3_moe, prompt_chunk<16>>;
  using P = causal_lm<tiny_qwen3_moe, prompt_chunk<16>, threads<pool<3>>>;
  using T = trainer<M, experts_recipe>;
  using TP = trainer<P, experts_recipe>;
  running<M> alone;
  randomise<M>(alone.weights, 0.3);
  pool<3> workers;
  heap_arena memory(P::session_bytes);
  P::session shared(alone.weights, memory, workers);
  CHECK(memory.remaining() == 0);
  CHECK(logits_of<M>(alone.session) == logits_of<P>(shared));

  heap_arena a(T::train_bytes), b(TP::train_bytes);
  T t(a, {});
  TP tp(b, {}, workers);
  CHECK(a.remaining() == 0);
  const auto tokens = random_tokens(T::step_tokens, M::shape.vocab, 9);
  for (int i = 0; i < 3; ++i) CHECK(t.step(tokens, tokens).loss == tp.step(tokens, tokens).loss);
}

TEST_CASE("a teacher with experts has the logits of a session", "[model]") {
  using M = causal_lm<tiny_qwen3_moe, prompt_chunk<16>>;
  running<M> r;
  randomise<M>(r.weights, 0.3);
  heap_arena memory(teacher<M, experts_recipe>::bytes_needed());
  teacher<M, experts_recipe> t(r.weights, memory);
  CHECK(memory.remaining() == 0);
  const auto tokens = random_tokens(32, M::shape.vocab, 9);
  t.read(tokens);
  const float* const theirs = t.logits(0, 16);
  r.session.score(span<const token>(tokens).first(16), [&](std::size_t i, span<float> ours) {
    for (std::size_t v = 0; v < ours.size(); ++v) CHECK(theirs[i * ours.size() + v] == Approx(ours[v]).margin(1e-4));
  });
}

TEST_CASE("shapes say what experts there are, and files know", "[model]") {
  constexpr decoder_shape s = tiny_mixtral::config.shape(true);
  CHECK(s.experts == 4);
  CHECK(s.experts_per_token == 2);
  CHECK(s.normalised_experts);
  const tensor_info& up = causal_lm<tiny_mixtral>::tensors.of(tensor_id::up_weight);
  CHECK(up.rows == 4 * s.up_dim());
  CHECK(up.piece_rows() == s.up_dim());
  CHECK(causal_lm<tiny_mixtral>::tensors.has(tensor_id::router_weight));
  CHECK_FALSE(causal_lm<tiny_mistral>::tensors.has(tensor_id::router_weight));
#if !CTLM_FEW_KINDS  // the same ways as above, and long to compile
  // Routers are never rounded.
  running<causal_lm<tiny_mixtral, weights<int4<8>>>> q;
  running<causal_lm<tiny_mixtral>> r;
  randomise<causal_lm<tiny_mixtral>>(r.weights, 0.3);
  quantise(r.weights, q.weights);
  const std::size_t n = s.layers * s.experts * s.d_model, id = static_cast<std::size_t>(tensor_id::router_weight);
  CHECK(std::equal(q.weights.raw_vector(id), q.weights.raw_vector(id) + n, r.weights.raw_vector(id)));
#endif
}
