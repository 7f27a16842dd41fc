// 100 steps with each loss follow PyTorch's loss and gradient norm at every step (make_losses.py), and gradients of
// losses follow central differences.
#include "catch.hpp"
#include "extend/differences.hpp"
#include "formulas.hpp"
#include "paths.hpp"

#include <fstream>
#include <sstream>
#include <string>

using namespace ctlm;
using namespace formulas;

namespace {

struct small_gpt2 {
  static constexpr gpt2_config config{.vocab = 64, .d_model = 32, .layers = 2, .heads = 4, .context = 32};
};
struct at_once {
  static constexpr train_config config{.batch = 4};
};
struct in_two {
  static constexpr train_config config{.batch = 2, .accumulate = 2};
};
struct tiny {
  static constexpr gpt2_config config{.vocab = 23, .d_model = 12, .layers = 1, .heads = 3, .context = 9};
};
struct pairs {
  static constexpr train_config config{.batch = 2};
};
struct four {
  static constexpr std::size_t batch = 4, sequence = 3, rows = 12;
};
constexpr std::size_t steps = 100, prompt = 8;

struct found {
  double loss, norm;
};
std::vector<found> stored(const std::string& name) {
  std::ifstream in(std::string(paths::source) + "/tests/parity/losses.txt");
  std::vector<found> all;
  for (std::string line, first; std::getline(in, line);) {
    std::istringstream fields(line);
    std::size_t step = 0;
    found f{};
    fields >> first >> step >> f.loss >> f.norm;
    if (first == name) all.push_back(f);
  }
  REQUIRE(all.size() == steps);
  return all;
}

/// The greatest difference from what is stored, of losses and of norms, in parts of those above 1: near an optimum
/// gradients are small differences of large numbers. step_of(trainer, batch) steps.
template <class M, class Recipe, class Step, class... Slots>
double follow(const std::string& name, Step&& step_of, slot<slot_kind::loss, Slots>...) {
  using T = trainer<M, Recipe, optimizer<sgd>, loss<Slots>...>;
  heap_arena memory(T::train_bytes);
  typename T::options o{.optimizer = {.lr = 0.0625f, .momentum = 0.5f, .weight_decay = 0.125f}};
  if constexpr (requires { o.loss.z_loss; }) o.loss = {.label_smoothing = 0.1f, .z_loss = 1e-3f};
  T t(memory, o);
  t.start_from([](const auto& w) { fill<M>(w); });
  double worst = 0;
  const auto expected = stored(name);
  for (std::size_t s = 0; s < steps; ++s) {
    const step_result r = step_of(t, batch_of(s));
    worst = worse(worst, std::fabs(static_cast<double>(r.loss) - expected[s].loss));
    worst = worse(worst,
                  std::fabs(static_cast<double>(r.gradient_norm) - expected[s].norm) / std::max(1.0, expected[s].norm));
  }
  INFO(name << ": worst difference " << worst);
  CHECK(worst < 1e-4);
  return worst;
}

template <class M, class Recipe>
void follow_teacher(const std::string& name, const distillation_options& o) {
  using guide = teacher<M, Recipe>;
  heap_arena memory(M::weight_bytes + guide::bytes_needed());
  typename M::weights w(memory);
  fill<M>(w, 4);
  guide g(w, memory);
  follow<M, Recipe>(name, [&](auto& t, const pair& p) { return t.distil(p.inputs, g, o); });
}

template <class M, class Recipe>
void follow_preferences(const std::string& name, const preference& o) {
  using guide = teacher<M, Recipe>;
  heap_arena memory(M::weight_bytes + guide::bytes_needed());
  typename M::weights w(memory);
  fill<M>(w);
  guide g(w, memory);
  preference_result last;
  follow<M, Recipe>(name, [&](auto& t, pair p) {
    for (std::size_t i = 0; i < p.targets.size(); ++i)
      if (i % context < prompt) p.targets[i] = ignore_token;
    const preference_result before = [&] {
      if constexpr (std::same_as<Recipe, at_once>) return t.compare(p.inputs, p.targets, g, o);
      return preference_result{};
    }();
    const step_result r = t.prefer(p.inputs, p.targets, g, o, &last);
    CHECK(static_cast<double>(r.loss) == Approx(last.loss).epsilon(1e-6));
    if constexpr (std::same_as<Recipe, at_once>) {
      CHECK(before.loss == Approx(last.loss).epsilon(1e-9));
      CHECK(before.accuracy == last.accuracy);
      CHECK(before.margin == Approx(last.margin).epsilon(1e-9).margin(1e-12));
    }
    return r;
  });
  CHECK(last.accuracy <= 1);
}

}  // namespace

TEMPLATE_TEST_CASE("losses follow PyTorch at every step", "[parity]", f32, f64) {
  using M = causal_lm<small_gpt2, weights<TestType>>;
  const auto usual = [](auto& t, pair p) {
    for (std::size_t i = 0; i < p.targets.size(); i += 5) p.targets[i] = ignore_token;
    return t.step(p.inputs, p.targets);
  };
  follow<M, at_once>("smoothed", usual, loss<smoothed_cross_entropy_loss>{});
  follow<M, in_two>("smoothed", usual, loss<smoothed_cross_entropy_loss>{});
  follow_teacher<M, at_once>("forward", {.temperature = 2});
  follow_teacher<M, at_once>("reverse", {.temperature = 1.5f, .reverse = true});
  follow_preferences<M, at_once>("dpo", {.beta = 0.5f});
  follow_preferences<M, in_two>("dpo", {.beta = 0.5f});
  follow_preferences<M, at_once>("dpo_smoothed", {.beta = 0.25f, .label_smoothing = 0.125f});
}

TEMPLATE_TEST_CASE("contrasts follow PyTorch at every step", "[parity]", f32, f64) {
  using M = causal_lm<small_gpt2, weights<TestType>>;
  follow<M, at_once>("contrast", [](auto& t, pair p) {
    for (std::size_t i = 0; i < p.targets.size(); ++i)
      if (i % context < prompt) p.targets[i] = ignore_token;
    const contrast_result before = t.match(p.inputs, p.targets, {.temperature = 0.5f});
    contrast_result now;
    const step_result r = t.contrast(p.inputs, p.targets, {.temperature = 0.5f}, &now);
    CHECK(before.loss == Approx(now.loss).epsilon(1e-9));
    CHECK(before.accuracy == now.accuracy);
    return r;
  });
}

TEMPLATE_TEST_CASE("gradients of contrasts equal central differences", "[parity]", portable, native) {
  using M = causal_lm<tiny, weights<f64>>;
  constexpr std::size_t d = 12;
  struct {
    TestType backend;
    serial* exec;
  } c{};
  serial exec;
  c.exec = &exec;
  rng random{5};
  std::vector<double> x(four::rows * d), g(x.size()), scratch(contrast_targets<M, four>::numbers);
  for (double& v : x) v = random.normal();
  const std::vector<token> targets{1, ignore_token, 1, 1, 1, 1, ignore_token, 1, 1, 1, ignore_token, 1};
  contrast_result sums;
  const contrast_options o{.temperature = 0.25f};
  const contrast_targets<M, four> t{{targets.data()}, o, sums};
  t.from_rows(c, values<const double>{x.data()}, 2.0, scratch.data(), g.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double saved = x[i];
    const double expected = extend::derivative(
        [&](double v) {
          x[i] = v;
          return t.from_rows(c, values<const double>{x.data()}, 0.0, scratch.data(), nullptr);
        },
        saved);
    x[i] = saved;
    CHECK(std::fabs(g[i] / 2 - expected) < 1e-6 * std::fabs(expected) + 1e-9);
  }
}

TEST_CASE("gradients of the smoothed loss equal central differences", "[parity]") {
  extend::check_gradients<trainer<causal_lm<tiny, weights<f64>>, pairs, loss<smoothed_cross_entropy_loss>>>();
}

TEMPLATE_TEST_CASE("gradients of divergences equal central differences", "[parity]", portable, native) {
  constexpr std::size_t n = 37;
  rng random{3};
  std::vector<double> student(n), teacher(n);
  for (std::size_t i = 0; i < n; ++i) student[i] = 2 * random.normal(), teacher[i] = 2 * random.normal();
  serial exec;
  for (bool reverse : {false, true}) {
    const auto loss_of = [&](std::vector<double> x, double scale, std::vector<double>* g = nullptr) {
      auto t = teacher;
      double result = 0;
      distillation(TestType{}, exec, 1, n, x.data(), t.data(), 1.75, reverse, scale, &result);
      if (g != nullptr) *g = x;
      return result;
    };
    std::vector<double> g;
    loss_of(student, 3.0, &g);
    for (std::size_t i = 0; i < n; ++i) {
      const double expected = extend::derivative(
          [&](double v) {
            auto x = student;
            x[i] = v;
            return loss_of(x, 0);
          },
          student[i]);
      CHECK(std::fabs(g[i] / 3 - expected) < 1e-6 * std::fabs(expected) + 1e-9);
    }
  }
}

TEST_CASE("judging counts what was most probable, and measures cross entropy whatever the loss", "[parity]") {
  using M = causal_lm<small_gpt2>;
  using T = trainer<M, at_once, loss<smoothed_cross_entropy_loss>>;
  using plain = trainer<M, at_once>;
  heap_arena a(T::train_bytes), b(plain::train_bytes);
  T t(a, {});
  plain p(b, {});
  t.start_from([](const auto& w) { fill<M>(w, 4); });
  p.start_from([](const auto& w) { fill<M>(w, 4); });
  auto x = batch_of(3);
  x.targets[7] = ignore_token;
  const evaluation e = t.judge(x.inputs, x.targets);
  CHECK(e.counted == rows * context - 1);
  CHECK(e.loss == Approx(p.evaluate(x.inputs, x.targets)).epsilon(1e-6));
  CHECK(e.perplexity() == Approx(std::exp(e.loss)).epsilon(1e-9));
  p.read(x.inputs);
  std::size_t right = 0;
  for (std::size_t r = 0; r < rows * context; ++r) {
    const float* logits = p.logits(r, 1);
    std::size_t best = 0;
    for (std::size_t i = 1; i < 64; ++i)
      if (logits[i] > logits[best]) best = i;
    right += static_cast<token>(best) == x.targets[r];
  }
  CHECK(e.accuracy == Approx(static_cast<double>(right) / static_cast<double>(e.counted)));
}
