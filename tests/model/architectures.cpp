// Each architecture: gradients against central differences, and the same logits however the rows are cut.
#include "catch.hpp"

#include "architectures.hpp"
#include "model_gradients.hpp"

using namespace architectures;
using namespace models;

namespace {

constexpr double fine = 1e-4;  // norms of heads of six numbers are strongly curved

struct recipe {  // two sequences that are longer than any window, and than what angles are scaled from
  static constexpr train_config config{.batch = 2, .sequence = 24};
};
template <class Tag, class... Slots>
using trainer_of = trainer<causal_lm<Tag, weights<f64>>, recipe, Slots...>;

/// Logits after each of 64 tokens, which enter `feed` at a time a session that takes at most Chunk at once.
template <class Tag, std::size_t Chunk>
std::vector<double> logits_by_chunks(std::size_t feed = Chunk) {
  using M = causal_lm<Tag, weights<f64>, prompt_chunk<Chunk>>;
  running<M> r;
  randomise<M>(r.weights, 0.3);
  std::vector<double> all;
  const auto tokens = random_tokens(64, M::shape.vocab, 4);
  for (std::size_t i = 0; i < 64; i += feed)
    r.session.score(span<const token>(tokens).subspan(i, smaller(feed, 64 - i)),
                    [&](std::size_t, span<double> logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  return all;
}

/// The logits of two sequences from the forward pass of training, and from sessions.
template <class Tag>
std::vector<double> logits_of_training() {
  using T = trainer_of<Tag>;
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  t.start_from([](const auto& weights) { randomise<typename T::model>(weights, 0.3); });
  t.read(random_tokens(T::batch_tokens, T::shape.vocab, 4));
  const double* logits = t.logits(0, T::batch_tokens);
  return {logits, logits + T::batch_tokens * T::shape.vocab};
}
template <class Tag>
std::vector<double> logits_of_two() {
  using M = causal_lm<Tag, weights<f64>, prompt_chunk<64>>;
  running<M> r;
  randomise<M>(r.weights, 0.3);
  std::vector<double> all;
  constexpr std::size_t length = recipe::config.sequence;
  const auto tokens = random_tokens(2 * length, M::shape.vocab, 4);
  for (std::size_t sequence = 0; sequence < 2; ++sequence) {
    r.session.reset();
    r.session.score(span<const token>(tokens).subspan(sequence * length, length),
                    [&](std::size_t, span<double> logits) { all.insert(all.end(), logits.begin(), logits.end()); });
  }
  return all;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double w = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < smaller(a.size(), b.size()); ++i) w = worse(w, std::fabs(a[i] - b[i]));
  return w;
}

template <class M>
double worst_logit(const std::vector<double>& exact) {
  running<M> r;
  randomise<M>(r.weights, 0.3);
  double w = 0;
  r.session.score(random_tokens(64, M::shape.vocab, 4), [&](std::size_t i, span<float> logits) {
    for (std::size_t v = 0; v < logits.size(); ++v)
      w = worse(w, std::fabs(static_cast<double>(logits[v]) - exact[i * logits.size() + v]));
  });
  return w;
}

}  // namespace

#define CTLM_ARCHITECTURES                                                                                       \
  tiny_llama3, scaled_llama<rope_kind::linear>, scaled_llama<rope_kind::yarn>, scaled_llama<rope_kind::dynamic>, \
      tiny_mistral, tiny_qwen2, tiny_qwen3, tiny_smollm3, tiny_phi3, tiny_gemma, tiny_gemma2, tiny_gemma3,       \
      tiny_mixtral, tiny_qwen3_moe

TEMPLATE_TEST_CASE("each architecture's gradients equal central differences", "[model][gradient]", CTLM_ARCHITECTURES) {
  const gradient_report report = compare_all_tensors<trainer_of<TestType>>(0.0f, fine);
  CHECK(report.evaluated == Approx(report.loss).epsilon(1e-13));
  CHECK(report.wrong() == "");
}

TEMPLATE_TEST_CASE("gradients through dropout and recomputation, of what not every model has", "[model][gradient]",
                   tiny_gemma2, tiny_gemma3, tiny_mixtral) {
  CHECK(compare_all_tensors<trainer_of<TestType>>(0.25f, fine).wrong() == "");
  CHECK(compare_all_tensors<trainer_of<TestType, recompute<2>>>(0.0f, fine).wrong() == "");
}

TEMPLATE_TEST_CASE("each architecture's logits do not depend on how rows are cut", "[model]", CTLM_ARCHITECTURES) {
  const auto exact = logits_by_chunks<TestType, 64>();
  CHECK(largest_difference(exact, logits_by_chunks<TestType, 64>(1)) < 1e-12);
  CHECK(largest_difference(exact, logits_by_chunks<TestType, 64>(7)) < 1e-12);
  if constexpr (causal_lm<TestType>::shape.window > 0)  // rings as long as a window and a chunk
    CHECK(largest_difference(exact, logits_by_chunks<TestType, 7>()) < 1e-12);
  CHECK(largest_difference(logits_of_two<TestType>(), logits_of_training<TestType>()) < 1e-12);
}

TEMPLATE_TEST_CASE("logits of sessions that take one token at a time are those of others", "[model]", tiny_llama3,
                   tiny_gemma3, tiny_mixtral) {
  CHECK(largest_difference(logits_by_chunks<TestType, 64>(), logits_by_chunks<TestType, 1>()) < 1e-12);
}

TEMPLATE_TEST_CASE("each architecture runs in single precision, and in few bits", "[model]", CTLM_ARCHITECTURES) {
  const auto exact = logits_by_chunks<TestType, 64>();
  CHECK(worst_logit<causal_lm<TestType>>(exact) < 2e-4);
  CHECK(worst_logit<causal_lm<TestType, backend<portable>>>(exact) < 2e-4);
  CHECK(worst_logit<causal_lm<TestType, weights<int8<>>, kv_cache<int8<>>, compute<decoded>>>(exact) < 1.5);
}

TEST_CASE("what shapes say of layers", "[model]") {
  constexpr decoder_shape g = tiny_gemma3::config.shape(true), m = tiny_mistral::config.shape(true);
  CHECK(g.window_of(0) == 5);
  CHECK(g.window_of(2) == 64);
  CHECK(g.is_local(1));
  CHECK(gemma3_config{.vocab = 1, .d_model = 8, .layers = 1, .heads = 1, .d_ff = 1, .context = 4}.shape(true).is_local(
      0));
  CHECK_FALSE(g.is_local(2));
  CHECK(m.window_of(1) == 5);
  constexpr decoder_shape s = tiny_smollm3::config.shape(true);
  CHECK(s.rotates(0));
  CHECK_FALSE(s.rotates(1));
  CHECK(s.rotates(2));
}
