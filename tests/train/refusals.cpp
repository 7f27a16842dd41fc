// What a trainer refuses, in words, before anything changes; and what a step does that cannot be computed.
#include "catch.hpp"

#include "../model/models.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

using namespace ctlm;
using namespace models;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 8, .accumulate = 2};
};

using with_adamw = trainer<causal_lm<tiny_gpt2>, recipe, schedule<warmup_cosine>>;
using momentum = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<sgd>>;
using integers = trainer<causal_lm<tiny_gpt2>, recipe, trained_for<int4<32>>>;

/// A schedule of a user's own, which has nothing to say about its options.
struct broken_rate {
  struct options {};
  static constexpr double rate(const options&, double lr, std::size_t step) {
    return step < 1 ? lr : std::numeric_limits<double>::quiet_NaN();
  }
};
using broken = trainer<causal_lm<tiny_gpt2>, recipe, schedule<broken_rate>>;

/// Every byte that a resumed training needs, without the number of steps.
template <class T>
std::string state_of(T& t) {
  std::string all;
  t.for_each_state([&](const char* name, void* data, std::size_t bytes) {
    if (std::strcmp(name, "step") != 0) all.append(static_cast<const char*>(data), bytes);
  });
  return all;
}

template <class T>
struct batch {
  std::vector<token> inputs = random_tokens(T::step_tokens, 61), targets = random_tokens(T::step_tokens, 61, 2);
};

#if CTLM_EXCEPTIONS
std::string error_of(auto&& f) {
  try {
    f();
  } catch (const ctlm::error& e) {
    return e.what();
  }
  return "";
}
template <class T>
std::string error_with(const typename T::options& o) {
  return error_of([&] {
    heap_arena memory(T::train_bytes);
    T t(memory, o);
  });
}
#endif

template <class T>
void check_skipping(float& culprit) {
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  float* gains = nullptr;
  t.start_from([&](const auto& weights) { gains = weights.vector_of(tensor_id::norm_weight); });
  const batch<T> b;
  CHECK_FALSE(t.step(b.inputs, b.targets).skipped);
  float& weight = gains[1];
  const float good = weight;
  weight = culprit;
  if constexpr (requires { t.quantised(); }) t.quantised();
  const auto before = state_of(t);
  const step_result r = t.step(b.inputs, b.targets);
  CHECK(r.skipped);
  CHECK(r.step == 1);
  CHECK((!std::isfinite(r.loss) || !std::isfinite(r.gradient_norm)));
  CHECK(t.steps() == 2);
  CHECK(state_of(t) == before);
  weight = good;
  const step_result next = t.step(b.inputs, b.targets);
  CHECK_FALSE(next.skipped);
  CHECK(next.step == 2);
  CHECK(state_of(t) != before);
  for (float x : span<const float>(t.weights().vector_of(tensor_id::norm_weight), 24)) CHECK(std::isfinite(x));
}

}  // namespace

TEST_CASE("a step whose loss or gradients are not finite is skipped, and says so", "[train]") {
  for (float culprit : {not_a_number, infinity, 1e38f}) {
    check_skipping<with_adamw>(culprit);
    check_skipping<momentum>(culprit);
    check_skipping<integers>(culprit);
  }
}

TEST_CASE("learning from a teacher that has lost its numbers is skipped", "[train]") {
  heap_arena a(with_adamw::train_bytes), b(with_adamw::train_bytes);
  with_adamw student(a, {}), teacher(b, {});
  teacher.start_from([](const auto& w) { w.vector_of(tensor_id::norm_weight)[1] = not_a_number; });
  const auto before = state_of(student);
  CHECK(student.distil(batch<with_adamw>{}.inputs, teacher).skipped);
  CHECK(state_of(student) == before);
  CHECK(student.steps() == 1);
}

TEST_CASE("without a target there is no loss", "[train]") {
  heap_arena memory(with_adamw::train_bytes);
  with_adamw t(memory, {});
  const std::vector<token> inputs = random_tokens(with_adamw::step_tokens, 61),
                           none(with_adamw::step_tokens, ignore_token);
  const span<const token> x = inputs, y = none;
  CHECK(t.evaluate(x.first(with_adamw::batch_tokens), y.first(with_adamw::batch_tokens)) == 0);
  const step_result r = t.step(x, y);
  CHECK(r.loss == 0);
  CHECK(r.gradient_norm == 0);
  CHECK_FALSE(r.skipped);
}

#if CTLM_EXCEPTIONS
TEST_CASE("options that cannot be computed with are refused by name", "[train]") {
  const std::string finite = " must be a finite number of at least 0", part = " must be at least 0 and less than 1";
  CHECK(error_with<with_adamw>({}).empty());
  CHECK(error_with<with_adamw>({.schedule = {.warmup = 5, .total = 5}, .clip_norm = infinity}).empty());
  for (float x : {1.0f, 1.5f, -0.1f, not_a_number, infinity}) {
    CHECK(error_with<with_adamw>({.dropout = x}) == "ctlm: dropout" + part);
    CHECK(error_with<with_adamw>({.optimizer = {.beta1 = x}}) == "ctlm: optimizer.beta1" + part);
    CHECK(error_with<with_adamw>({.optimizer = {.beta2 = x}}) == "ctlm: optimizer.beta2" + part);
    CHECK(error_with<momentum>({.optimizer = {.momentum = x}}) == "ctlm: optimizer.momentum" + part);
  }
  for (float x : {-1e-3f, not_a_number, infinity, -infinity}) {
    CHECK(error_with<with_adamw>({.optimizer = {.lr = x}}) == "ctlm: optimizer.lr" + finite);
    CHECK(error_with<with_adamw>({.optimizer = {.weight_decay = x}}) == "ctlm: optimizer.weight_decay" + finite);
    CHECK(error_with<momentum>({.optimizer = {.lr = x}}) == "ctlm: optimizer.lr" + finite);
    CHECK(error_with<momentum>({.optimizer = {.weight_decay = x}}) == "ctlm: optimizer.weight_decay" + finite);
    CHECK(error_with<with_adamw>({.schedule = {.min_lr = x}}) == "ctlm: schedule.min_lr" + finite);
  }
  for (float x : {0.0f, -1e-8f, not_a_number, infinity})
    CHECK(error_with<with_adamw>({.optimizer = {.eps = x}}) == "ctlm: optimizer.eps must be a finite number above 0");
  for (float x : {-1.0f, not_a_number})
    CHECK(error_with<with_adamw>({.clip_norm = x}) == "ctlm: clip_norm must be a number of at least 0");
  CHECK(error_with<with_adamw>({.schedule = {.total = 0}}) == "ctlm: schedule.total must be at least 1 step, not 0");
  CHECK(error_with<with_adamw>({.schedule = {.warmup = 11, .total = 10}}) ==
        "ctlm: schedule.warmup of 11 steps is longer than schedule.total of 10 steps");
}

TEST_CASE("a schedule that yields no number stops the step", "[train]") {
  heap_arena memory(broken::train_bytes);
  broken t(memory, {});
  const batch<broken> b;
  t.step(b.inputs, b.targets);
  const auto before = state_of(t);
  CHECK(error_of([&] { t.step(b.inputs, b.targets); }) ==
        "ctlm: the schedule's learning rate of step 1 is not a finite number");
  CHECK(state_of(t) == before);
}

TEST_CASE("tokens and targets are refused with their numbers, before anything changes", "[train]") {
  heap_arena memory(with_adamw::train_bytes), other(with_adamw::train_bytes);
  with_adamw t(memory, {}), teacher(other, {});
  constexpr std::size_t n = with_adamw::step_tokens, m = with_adamw::batch_tokens;
  const batch<with_adamw> good;
  t.step(good.inputs, good.targets);
  const auto before = state_of(t);
  for (token wrong : {61, -2, 2'000'000'000}) {
    batch<with_adamw> b;
    b.targets[n - 1] = b.targets[m - 1] = wrong;
    const std::string words = std::to_string(wrong) + " is outside the vocabulary of 61";
    const span<const token> inputs = b.inputs, targets = b.targets;
    CHECK(error_of([&] { t.step(inputs, targets); }) == "ctlm: target " + words);
    CHECK(error_of([&] { t.evaluate(inputs.first(m), targets.first(m)); }) == "ctlm: target " + words);
    CHECK(error_of([&] { t.forward_backward(inputs.first(m), targets.first(m)); }) == "ctlm: target " + words);
    b = {};
    b.inputs[n - 1] = b.inputs[m - 1] = wrong;
    CHECK(error_of([&] { t.step(b.inputs, b.targets); }) == "ctlm: token " + words);
    CHECK(error_of([&] { t.distil(b.inputs, teacher); }) == "ctlm: token " + words);
    CHECK(error_of([&] { t.read(span<const token>(b.inputs).first(m)); }) == "ctlm: token " + words);
  }
  CHECK(error_of([&] { t.step(good.inputs, span<const token>(good.targets).first(3)); }) ==
        "ctlm: step needs accumulate * batch * sequence tokens, 32, and as many targets, not 3");
  CHECK(error_of([&] { t.evaluate(good.inputs, good.targets); }) ==
        "ctlm: evaluate needs batch * sequence tokens, 16, and as many targets, not 32");
  CHECK(state_of(t) == before);
  CHECK(t.steps() == 1);
}
#endif
