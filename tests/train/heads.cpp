// Heads with weights of their own: exact sizes, the same bits for any number of threads and after a resume, refusals in
// words, groups, optimizers and formats, and prediction in a session.
#include "catch.hpp"

#include "../model/models.hpp"
#include "worse.hpp"

#include <ctlm/model/predict.hpp>
#include <ctlm/train/adapters.hpp>
#include <ctlm/train/heads.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>

using namespace ctlm;
using namespace models;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 4, .sequence = 12, .accumulate = 2};
};
using lm = causal_lm<tiny_llama>;
template <class Head, class... Slots>
using trained = trainer<lm, recipe, head<Head>, Slots...>;
using classes = trained<classification<2>>;
using numbers = trained<regression<3, last_row>>;

/// Sequences of random lengths. Whether token 7 is among those that count is the class, and so are all numbers.
template <class T>
struct texts {
  std::vector<token> inputs;
  std::vector<std::size_t> lengths;
  std::vector<typename T::target> targets;

  explicit texts(std::uint64_t seed, std::size_t sequences = T::accumulate * T::batch) {
    rng random{seed};
    for (std::size_t s = 0; s < sequences; ++s) {
      const bool has = random.below(2) == 1;
      lengths.push_back(1 + random.below(T::sequence));
      for (std::size_t i = 0; i < T::sequence; ++i)
        inputs.push_back(static_cast<token>(i < lengths.back() ? 8 + random.below(50) : 7));  // 7 is padding too
      if (has) inputs[s * T::sequence + random.below(lengths.back())] = 7;
      for (std::size_t k = 0; k < T::head_type::targets; ++k) targets.push_back(static_cast<typename T::target>(has));
    }
  }
};

template <class T>
std::vector<float> steps(T& t, int n, std::uint64_t first = 1) {
  std::vector<float> losses;
  for (int i = 0; i < n; ++i) {
    const texts<T> x(first + static_cast<std::uint64_t>(i));
    losses.push_back(t.step(x.inputs, x.lengths, x.targets).loss);
  }
  return losses;
}
template <class T>
std::string state_of(T& t) {
  std::string all;
  t.for_each_state(
      [&](const char*, void* data, std::size_t bytes) { all.append(static_cast<const char*>(data), bytes); });
  return all;
}
template <class T>
head_evaluation judge(T& t) {
  const texts<T> x(1000, T::batch);
  return t.evaluate(x.inputs, x.lengths, x.targets);
}

}  // namespace

TEST_CASE("a head's weights, gradients and moments are counted exactly", "[train]") {
  // [3][24] and [3], padded to 64 bytes: 320 and 64; weights, gradients and two moments of AdamW.
  static_assert(head_weights<lm, regression<3>>::bytes_needed() == 320 + 64);
  constexpr std::size_t own = head_weights<lm, regression<3>>::bytes_needed();
  // The vocabulary's matrix, which leads nowhere, has neither gradients nor moments.
  static_assert(!lm::shape.tie_embeddings);
  constexpr std::size_t vocabulary = round_up(sizeof(float) * lm::shape.vocab * lm::shape.d_model, memory_alignment);
  static_assert(trained<regression<3>, optimizer<adamw>>::state_bytes == 2 * (lm::weight_bytes - vocabulary + own));
  // The scratch of a head over sequences takes the place of the logits of 48 rows, which the feed-forward part
  // outweighs.
  constexpr std::size_t without = trainer<lm, recipe, optimizer<adamw>>::train_bytes;
  constexpr std::size_t with = trained<regression<3>, optimizer<adamw>>::train_bytes;
  constexpr std::size_t losses = 48 * sizeof(float), partials = 2 * sizeof(double);
  INFO(with << " and " << without);
  CHECK(with + 3 * vocabulary >= without + 4 * own - losses - partials - 64);
  CHECK(with + 3 * vocabulary <= without + 4 * own + 64);
  heap_arena memory(numbers::train_bytes);
  numbers t(memory, {});
  CHECK(memory.remaining() == 0);
}

TEST_CASE("a classifier learns, and says so", "[train]") {
  heap_arena memory(classes::train_bytes);
  classes t(memory, {.optimizer = {.lr = 1e-2f}});
  for (std::size_t i = 0; i < 2; ++i)
    for (float x : t.head()[i]) CHECK((i == 0 ? std::fabs(x) < 0.1f : x == 0.0f));
  steps(t, 150);
  double loss = 0, accuracy = 0;
  std::size_t counted = 0;
  for (std::uint64_t i = 0; i < 10; ++i) {
    const texts<classes> x(1000 + i, classes::batch);
    const head_evaluation e = t.evaluate(x.inputs, x.lengths, x.targets);
    loss += e.loss / 10;
    accuracy += e.accuracy / 10;
    counted += e.counted;
  }
  INFO("loss " << loss << ", accuracy " << accuracy);
  CHECK(counted == 40);
  CHECK(loss < 0.2);  // a guess costs 0.69
  CHECK(accuracy > 0.9);
}

TEST_CASE("a regression learns", "[train]") {
  heap_arena memory(numbers::train_bytes);
  numbers t(memory, {.optimizer = {.lr = 1e-2f}});
  const double before = judge(t).loss;
  steps(t, 150);
  const head_evaluation after = judge(t);
  INFO("loss " << before << " before, " << after.loss << " after");
  CHECK(after.loss < 0.05);  // the mean of all targets costs 0.25
  CHECK(after.accuracy == 0);
}

TEST_CASE("padding counts for nothing, and sequences without length take no part", "[train]") {
  heap_arena memory(classes::train_bytes);
  classes t(memory, {});
  texts<classes> x(3, classes::batch), y = x;
  for (std::size_t s = 0; s < 4; ++s)
    for (std::size_t i = x.lengths[s]; i < classes::sequence; ++i) y.inputs[s * classes::sequence + i] = 11;
  CHECK(t.forward_backward(x.inputs, x.lengths, x.targets) == t.forward_backward(y.inputs, y.lengths, y.targets));
  const std::vector<std::size_t> all(4, classes::sequence);
  CHECK(t.forward_backward(x.inputs, all, x.targets) == t.forward_backward(x.inputs, x.targets));
  CHECK(t.evaluate(x.inputs, all, x.targets).loss == t.evaluate(x.inputs, x.targets).loss);

  x.lengths[0] = 0;
  y.lengths = x.lengths;
  y.lengths[0] = 5;
  y.targets[0] = ignore_token;
  CHECK(t.evaluate(x.inputs, x.lengths, x.targets).counted == 3);
  CHECK(t.evaluate(x.inputs, x.lengths, x.targets).loss == t.evaluate(x.inputs, y.lengths, y.targets).loss);
  const std::vector<std::size_t> none(4, 0);
  CHECK(t.forward_backward(x.inputs, none, x.targets) == 0);
  for (const tensor_info& info : lm::tensors)
    for (float g : t.gradients().numbers(info)) CHECK(g == 0);
  for (float g : t.head_gradients()[0]) CHECK(g == 0);
}

TEST_CASE("a head is trained with every optimizer, in groups, and for formats with fewer bits", "[train]") {
  const auto learns = [](const char* name, auto* type, float lr) {
    using T = std::remove_pointer_t<decltype(type)>;
    heap_arena memory(T::train_bytes);
    typename T::options o{};
    o.optimizer.lr = lr;
    T t(memory, o);
    CHECK(memory.remaining() == 0);
    const auto losses = steps(t, 160);
    const auto mean = [&](int first) {
      return std::accumulate(losses.begin() + first, losses.begin() + first + 10, 0.0) / 10;
    };
    INFO(name << ": " << mean(0) << " in the first steps, " << mean(150) << " in the last");
    CHECK(mean(150) < 0.6 * mean(0));
  };
  using last = classification<2, last_row>;
  learns("muon", static_cast<trained<last, optimizer<muon>>*>(nullptr), 2e-2f);
  learns("int8", static_cast<trained<last, trained_for<int8<>>>*>(nullptr), 1e-2f);
#if !CTLM_FEW_KINDS  // the same ways, at the cost of a compiler's time
  learns("adam8", static_cast<trained<last, optimizer<adam8>>*>(nullptr), 1e-2f);
  learns("adafactor", static_cast<trained<last, optimizer<adafactor>>*>(nullptr), 5e-2f);
  learns("bf16", static_cast<trained<last, trained_for<bf16>>*>(nullptr), 1e-2f);
  learns("clipped", static_cast<trained<last, clip<clip_by_value>>*>(nullptr), 1e-2f);
#endif
}

TEST_CASE("a head is a group of its own, and the vocabulary's matrix stays as it is", "[train]") {
  using T = trained<regression<3>, groups<tensors::head>>;
  heap_arena memory(T::train_bytes);
  typename T::options o{};
  o.groups[0].rate = 0;
  T t(memory, o);
  const auto all = [](span<const float> x) { return std::vector<float>(x.begin(), x.end()); };
  const auto own = [&] { return all({t.head()[0].data(), t.head()[0].size()}); };
  const auto vocabulary = [&] { return all(t.weights().numbers(lm::tensors.of(tensor_id::head_weight))); };
  const auto embedding = [&] { return all(t.weights().numbers(lm::tensors.of(tensor_id::token_embedding))); };
  const auto before = own(), before_vocabulary = vocabulary(), before_embedding = embedding();
  steps(t, 3);
  CHECK(own() == before);
  CHECK(vocabulary() == before_vocabulary);
  CHECK(embedding() != before_embedding);
}

TEST_CASE("1, 2 and 4 threads train a head to the same bits", "[train][threads]") {
  using threaded = trainer<causal_lm<tiny_llama, threads<pool<4>>>, recipe, head<classification<2>>>;
  heap_arena memory(classes::train_bytes);
  classes alone(memory, {.dropout = 0.1f});
  const auto losses = steps(alone, 5);
  for (std::size_t n : {1, 2, 4}) {
    pool<4> workers(n);
    heap_arena own(threaded::train_bytes);
    threaded t(own, {.dropout = 0.1f}, workers);
    CHECK(steps(t, 5) == losses);
    CHECK(state_of(t) == state_of(alone));
  }
}

TEST_CASE("a head's run resumed from a checkpoint equals one that never stopped", "[train]") {
  const auto saved = [](auto& t) {
    std::vector<std::byte> bytes;
    const auto put = [&](const void* p, std::size_t n) {
      bytes.insert(bytes.end(), static_cast<const std::byte*>(p), static_cast<const std::byte*>(p) + n);
    };
    REQUIRE(put_checkpoint(t, {}, put));
    return bytes;
  };
  heap_arena a(classes::train_bytes), b(classes::train_bytes), c(numbers::train_bytes);
  classes through(a, {.dropout = 0.1f}), resumed(b, {.dropout = 0.1f});
  steps(through, 3);
  const auto file = saved(through);
  steps(resumed, 1);  // what it did before does not matter
  REQUIRE(take_checkpoint(file, resumed, {}));
  CHECK(steps(resumed, 3, 4) == steps(through, 3, 4));
  CHECK(state_of(resumed) == state_of(through));

#if !CTLM_FEW_KINDS  // the same ways, at the cost of a compiler's time
  using other_pooling = trained<classification<2, last_row>>;
  heap_arena d(other_pooling::train_bytes);
  other_pooling last(d, {});
  const auto refused = take_checkpoint(file, last, {});
  CHECK(refused.error().code == errc::wrong_model);
  CHECK(std::string(refused.error().name) == "head 2 last classification");
#endif
  numbers other(c, {});
  CHECK(take_checkpoint(file, other, {}).error().code == errc::wrong_model);
}

#if CTLM_EXCEPTIONS
TEST_CASE("a head refuses what it cannot learn from, in words, before anything changes", "[train]") {
  const auto error_of = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const ctlm::error& e) {
      return e.what();
    }
    return "";
  };
  heap_arena a(classes::train_bytes), b(numbers::train_bytes);
  classes t(a, {});
  numbers n(b, {});
  const auto before = state_of(t), before_numbers = state_of(n);
  const texts<classes> good(1);
  const texts<numbers> fine(1);
  auto x = good;
  x.targets[5] = 2;
  CHECK(error_of([&] { t.step(x.inputs, x.lengths, x.targets); }) ==
        "ctlm: the class of sequence 5 is 2: there are 2, from 0 on");
  x.targets[5] = -7;
  CHECK(error_of([&] { t.step(x.inputs, x.lengths, x.targets); }) ==
        "ctlm: the class of sequence 5 is -7: there are 2, from 0 on");
  x = good;
  x.lengths[2] = 13;
  CHECK(error_of([&] { t.step(x.inputs, x.lengths, x.targets); }) ==
        "ctlm: sequence 2 has a length of 13, and at most 12 fit");
  x.lengths.pop_back();
  CHECK(error_of([&] { t.step(x.inputs, x.lengths, x.targets); }) ==
        "ctlm: a length for each of 8 sequences is needed, not 7");
  x = good;
  x.targets.pop_back();
  CHECK(error_of([&] { t.step(x.inputs, x.lengths, x.targets); }) ==
        "ctlm: these sequences have 8 targets together, not 7");
  x = good;
  x.inputs.pop_back();
  CHECK(error_of([&] { t.step(x.inputs, x.lengths, x.targets); }) ==
        "ctlm: these sequences have 96 tokens together, not 95");
  auto y = fine;
  y.targets[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_of([&] { n.step(y.inputs, y.lengths, y.targets); }) ==
        "ctlm: target 1 of sequence 2 is not a finite number");
  std::vector<float> small(3);
  CHECK(error_of([&] { n.predict(span<const token>(fine.inputs).first(48), span<float>(small)); }) ==
        "ctlm: predict needs room for batch * outputs numbers, 12, not 3");
  CHECK(state_of(t) == before);
  CHECK(state_of(n) == before_numbers);
}
#endif

namespace {

/// What a session says of texts is what the trainer says of them.
template <class T>
void predicts(T& t) {
  using M = typename T::model;
  const texts<T> x(9, T::batch);
  std::vector<float> expected(T::batch_outputs), got(T::head_type::outputs);
  t.predict(x.inputs, x.lengths, span<float>(expected));
  heap_arena memory(M::session_bytes);
  const typename M::const_weights w = t.weights();
  typename M::session s(w, memory);
  for (std::size_t i = 0; i < T::batch; ++i) {
    const span<const token> text(x.inputs.data() + i * T::sequence, x.lengths[i]);
    predict(s, t.head(), text, span<float>(got.data(), got.size()));
    for (std::size_t k = 0; k < got.size(); ++k)
      CHECK(got[k] == Approx(expected[i * got.size() + k]).epsilon(1e-4).margin(1e-5));
    CHECK(s.position() == x.lengths[i]);
  }
}

}  // namespace

TEST_CASE("a head predicts in a session what it predicts in the trainer", "[train]") {
  heap_arena a(classes::train_bytes), b(numbers::train_bytes);
  classes t(a, {.optimizer = {.lr = 1e-2f}});
  numbers n(b, {.optimizer = {.lr = 1e-2f}});
  steps(t, 20);
  steps(n, 20);
  predicts(t);
  predicts(n);
}

TEST_CASE("a head over weights in four bits classifies in a session of them, from bytes that were kept", "[train]") {
  using M = causal_lm<tiny_llama, weights<int4<32>>, compute<decoded>>;
  using T = trainer<M, recipe, head<classification<2>>, train_only<tensors::gains>>;
  static_assert(T::train_bytes < classes::train_bytes);
  running<M> r;
  randomise<M>(r.weights);
  heap_arena memory(T::train_bytes);
  T t(r.weights, memory, {.optimizer = {.lr = 2e-2f}});
  steps(t, 100);
  // The gains that learned are written back into the weights that the session reads.
  for (const tensor_info& info : std::remove_cvref_t<decltype(t.learned())>::tensors) {
    const auto learned = t.learned().numbers(info);
    std::memcpy(r.weights.raw_vector(info.index()), learned.data(), learned.size() * sizeof(float));
  }
  const auto bytes = t.head().bytes();
  alignas(memory_alignment) std::byte kept[head_weights<M, classification<2>>::bytes_needed()];
  REQUIRE(sizeof kept == bytes.size());
  std::memcpy(kept, bytes.data(), sizeof kept);
  const auto h = head_weights<M, classification<2>>::bind(kept).value();
  CHECK(head_weights<M, classification<2>>::bind(span<std::byte>(kept).first(64)).error().code == errc::wrong_model);

  const texts<T> x(77, T::batch);
  std::vector<float> logits(T::batch_outputs);
  t.predict(x.inputs, x.lengths, span<float>(logits));
  for (std::size_t i = 0; i < T::batch; ++i) {
    const class_found f = classify(r.session, h, span<const token>(x.inputs.data() + i * T::sequence, x.lengths[i]));
    const float more = logits[2 * i + 1] - logits[2 * i];
    CHECK(f.label == (more > 0 ? 1 : 0));
    CHECK(f.probability == Approx(1 / (1 + std::exp(-std::fabs(more)))).epsilon(1e-3));
  }
}

TEST_CASE("contrasts and rules for gradients go with adapters", "[train]") {
  using M = causal_lm<tiny_llama, weights<int4<32>>, compute<decoded>>;
  using T = trainer<M, recipe, train_only<lora<4>, tensors::gains>, clip<clip_by_value>>;
  running<M> r;
  randomise<M>(r.weights);
  heap_arena memory(T::train_bytes);
  T t(r.weights, memory, {.optimizer = {.lr = 1e-2f}});
  const auto x = random_tokens(T::step_tokens, 61);
  const std::vector<token> whole(T::step_tokens);
  contrast_result first, last;
  t.contrast(x, whole, {.temperature = 0.2f}, &first);
  for (int i = 0; i < 40; ++i) t.contrast(x, whole, {.temperature = 0.2f}, &last);
  INFO(first.loss << " at first, " << last.loss << " at last");
  CHECK(last.loss < 0.5 * first.loss);
  CHECK(last.accuracy == 1);
}

TEST_CASE("the vocabulary's matrix has no gradients beside another head", "[train]") {
  heap_arena memory(classes::train_bytes);
  classes t(memory, {});
  CHECK(memory.remaining() == 0);
  const texts<classes> x(3);
  t.step(x.inputs, x.lengths, x.targets);
  const tensor_info& head = lm::tensors.of(tensor_id::head_weight);
  CHECK(t.gradients().numbers(head).empty());
  CHECK(t.weights().numbers(head).size() == lm::shape.vocab * lm::shape.d_model);
}
