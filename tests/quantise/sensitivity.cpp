// What a matrix costs in few bits: against the divergence that sessions of such models show, token by token,
// within the bytes that were promised.
#include "catch.hpp"

#include "heap.hpp"
#include "model/models.hpp"
#include "worse.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

using namespace ctlm;
using namespace models;

namespace {

struct own_head {
  static constexpr gpt2_config config{
      .vocab = 61, .d_model = 24, .layers = 2, .heads = 3, .context = 40, .tie_embeddings = false};
};
#if !CTLM_FEW_KINDS
struct capped_gemma {  // scaled embeddings, windows, capped logits
  static constexpr gemma2_config config{.vocab = 61,
                                        .d_model = 24,
                                        .layers = 2,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_dim = 8,
                                        .d_ff = 44,
                                        .context = 40,
                                        .window = 8};
};
#endif

using probe = int4<16, asymmetric>;
using some = candidates<int2<16, asymmetric>, int8<16>, probe>;
constexpr std::size_t sequence = 40;

/// The mean divergence between the predictions of two sessions, in double.
template <class A, class B>
double divergence_of(A& a, B& b, const std::vector<token>& text) {
  double total = 0;
  for (std::size_t first = 0; first < text.size(); first += sequence) {
    std::vector<std::vector<double>> expected;
    const span<const token> part(text.data() + first, sequence);
    const auto logs = [](auto logits) {
      double sum = 0;
      for (const float x : logits) sum += std::exp(static_cast<double>(x));
      std::vector<double> p;
      for (const float x : logits) p.push_back(static_cast<double>(x) - std::log(sum));
      return p;
    };
    a.reset();
    b.reset();
    a.score(part, [&](std::size_t, auto logits) { expected.push_back(logs(logits)); });
    b.score(part, [&](std::size_t i, auto logits) {
      const auto found = logs(logits);
      for (std::size_t v = 0; v < found.size(); ++v) total += std::exp(expected[i][v]) * (expected[i][v] - found[v]);
    });
  }
  return total / static_cast<double>(text.size());
}

/// One matrix of a model's weights.
template <class Weights>
auto matrix_at(const Weights& w, matrix_place m) {
  return w.matrix_of(m.id, m.layer == no_layer ? 0 : m.layer);
}

/// All matrices of a model as weighted rounding makes them in format F.
template <class Full, class F>
struct rounded_model {
  using small = causal_lm<typename Full::tag, ctlm::weights<F>>;
  heap_arena memory{small::weight_bytes};
  typename small::weights weights{memory};

  rounded_model(const typename Full::weights& exact, const std::vector<token>& text) {
    using work = quantiser<Full, small, sequence>;
    const quantiser_room room{.method = rounding::weighted, .tokens = text.size()};
    heap_arena work_memory(work::bytes_needed(room));
    work(work_memory, room).run(exact, weights, {.text = text});
  }
  /// One matrix, as numbers.
  void decode(matrix_place m, const typename Full::weights& to) const {
    const auto from = matrix_at(weights, m);
    const auto numbers = matrix_at(to, m);
    for (std::size_t row = 0; row < from.rows; ++row)
      decode_row(native{}, typename small::weights::format{}, from, row, numbers.data + row * numbers.cols);
  }
};

#if !CTLM_FEW_KINDS  // what needs it is left out
/// What a session says of a model with one matrix in format F.
template <class Full, class F, class Where>
double of_its_session(const running<Full>& exact, typename Full::session& session, const std::vector<token>& text) {
  using small = causal_lm<typename Full::tag, weights<f32, keep<F, Where>>, compute<decoded>>;
  using work = quantiser<Full, small, sequence>;
  running<small> rounded;
  const quantiser_room room{.method = rounding::weighted, .tokens = text.size()};
  heap_arena memory(work::bytes_needed(room));
  work(memory, room).run(exact.weights, rounded.weights, {.text = text});
  return divergence_of(session, rounded.session, text);
}
#endif

#if CTLM_FEW_KINDS  // under a sanitizer: each way once, as they are long to compile
using some_models = std::tuple<own_head, small_experts<2, 3>>;
#else
using some_models = std::tuple<tiny_llama, own_head, capped_gemma, small_experts<1, 3>, small_experts<2, 3>>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("a matrix costs what a session with it shows", "[quantise][budget]", some_models) {
  using full = causal_lm<TestType>;
  using work = sensitivity<full, some, probe, sequence>;
  using list = matrices_of<typename full::shape_type>;
  running<full> exact;
  randomise<full>(exact.weights, 0.1);
  const auto text = random_tokens(80, 61, 7);
  heap_arena memory(work::bytes_needed(80));
  work s(memory, 80);
  CHECK(memory.remaining() == 0);
  const auto costs = s.run(exact.weights, text);
  REQUIRE(costs.size() == list::count * some::size);

  const rounded_model<full, probe> in_probe(exact.weights, text);
  const rounded_model<full, int2<16, asymmetric>> in_two(exact.weights, text);
  const rounded_model<full, int8<16>> in_eight(exact.weights, text);
  running<full> other;
  randomise<full>(other.weights, 0.1);
  /// What a session says of the model with one of the rounded matrices.
  const auto measured = [&](const auto& rounded, matrix_place m) {
    rounded.decode(m, other.weights);
    const double divergence = divergence_of(exact.session, other.session, text);
    const auto from = matrix_at(exact.weights, m);
    std::copy(from.data, from.data + from.rows * from.cols, matrix_at(other.weights, m).data);
    return divergence;
  };

  // An error before a router sends tokens to other experts: divergences grow in jumps then, and not with squared
  // errors.
  const auto check_matrix = [&](matrix_place m, bool before_router = full::shape.experts > 0) {
    const double* const found = costs.data() + list::number_of(m) * some::size;
    CHECK(found[2] == Approx(measured(in_probe, m)).epsilon(0.003));
    if (before_router) return;
    const double two = measured(in_two, m), eight = measured(in_eight, m);
    for (const double ratio : {found[0] / two, found[1] / eight}) {  // an estimate
      CHECK(ratio > 0.5);
      CHECK(ratio < 2);
    }
    CHECK(two > 10 * eight);
  };
  constexpr std::size_t last = full::shape.layers - 1;
  check_matrix({tensor_id::qkv_weight, 0});
  check_matrix({tensor_id::out_weight, last});
  check_matrix({tensor_id::up_weight, last}, false);
  check_matrix({tensor_id::down_weight, 0}, full::shape.experts > 0 && last > 0);
  check_matrix({tensor_id::token_embedding});
  if constexpr (!full::shape.tie_embeddings) check_matrix({tensor_id::head_weight}, false);
  if constexpr (full::shape.position == position_kind::learned) check_matrix({tensor_id::position_embedding});

#if !CTLM_FEW_KINDS
  using first_out = tensors::both<tensors::out, tensors::layers<0>>;  // as a format that the model has
  CHECK(measured(in_probe, {tensor_id::out_weight, 0}) ==
        Approx(of_its_session<full, probe, first_out>(exact, exact.session, text)).epsilon(1e-4));
#endif
}

TEST_CASE("a matrix that loses nothing costs nothing, and what is impossible is refused", "[quantise][budget]") {
  using full = causal_lm<tiny_llama>;
  using work = sensitivity<full, some, probe, sequence>;
  running<full> exact;
  randomise<full>(exact.weights, 0.2);
  const auto down = exact.weights.matrix_of(tensor_id::down_weight, 1);
  for (std::size_t i = 0; i < down.rows * down.cols; ++i) down.data[i] = 0;
  heap_arena memory(work::bytes_needed());
  work s(memory);
  const auto costs = s.run(exact.weights, {});
  const std::size_t at = matrices_of<full::shape_type>::number_of({tensor_id::down_weight, 1}) * some::size;
  for (std::size_t f = 0; f < some::size; ++f) CHECK(costs[at + f] == 0);

  const auto text = random_tokens(39, 61);
  CHECK_THROWS_WITH(s.run(exact.weights, text), Catch::Contains("40 tokens, and the text has 39"));
  auto wrong = random_tokens(40, 61);
  wrong[3] = 61;
  CHECK_THROWS_WITH(s.run(exact.weights, wrong), Catch::Contains("token 61 is outside the vocabulary of 61"));
  heap_arena little(work::bytes_needed() - 64);
  CHECK_THROWS_WITH(work(little), Catch::Contains("too small for the sensitivities"));
  CHECK_THROWS_WITH(work(memory, 39), Catch::Contains("sequences of 40 tokens, and there is to be room for 39"));
  down.data[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(s.run(exact.weights, {}), Catch::Contains("not finite"));
}
