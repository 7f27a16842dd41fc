// 100 steps with heads that have weights of their own follow PyTorch's loss and gradient norm at every step, and so
// does what comes of a batch after them (make_heads.py); gradients of everything that learns follow central
// differences.
#include "catch.hpp"
#include "extend/differences.hpp"
#include "formulas.hpp"
#include "paths.hpp"

#include <ctlm/train/adapters.hpp>
#include <ctlm/train/heads.hpp>

#include <fstream>
#include <sstream>
#include <string>

using namespace ctlm;
using namespace formulas;

namespace {

struct gpt2 {
  static constexpr gpt2_config config{.vocab = 64, .d_model = 32, .layers = 2, .heads = 4, .context = 32};
};
struct llama {
  static constexpr llama_config config{
      .vocab = 64, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 48, .context = 32};
};
struct at_once {
  static constexpr train_config config{.batch = 4};
};
struct in_two {
  static constexpr train_config config{.batch = 2, .accumulate = 2};
};
constexpr std::size_t steps = 100;

struct line {
  double loss, other;
};
std::vector<line> stored(const std::string& name) {
  std::ifstream in(std::string(paths::source) + "/tests/parity/heads.txt");
  std::vector<line> all;
  for (std::string text, first, step; std::getline(in, text);) {
    std::istringstream fields(text);
    line l{};
    fields >> first >> step >> l.loss >> l.other;
    if (first == name) all.push_back(l);
  }
  REQUIRE(all.size() == steps + 1);
  return all;
}

/// The texts of a step, their lengths, and what is wanted of them: in make_heads.py the same.
template <class T>
struct work {
  std::vector<token> inputs;
  std::vector<std::size_t> lengths;
  std::vector<typename T::target> targets;

  explicit work(std::size_t step) : inputs(batch_of(step).inputs) {
    for (std::size_t n = step * rows; n < (step + 1) * rows; ++n) {
      const auto first = static_cast<std::size_t>(inputs[(n - step * rows) * context]);
      const bool takes_part = n % 9 != 4;
      lengths.push_back(1 + 7 * n % context);
      if constexpr (std::same_as<typename T::target, token>) {
        targets.push_back(takes_part ? static_cast<token>(first % 3) : ignore_token);
      } else {
        if (!takes_part) lengths.back() = 0;
        for (std::size_t k = 0; k < 2; ++k)
          targets.push_back(static_cast<typename T::target>((first + 5 * k) % 7) / 4 - 0.5f);
      }
    }
  }
};

/// Matrices by formula, as the model's, and biases of 0.
template <class H>
void fill_head(const H& head) {
  for (std::size_t i = 0; i < head[0].size(); ++i) {
    const double u = static_cast<double>(mix((std::uint64_t{100} << 32) + i) >> 40) / (1 << 24);
    head[0][i] = static_cast<typename H::real>((u - 0.5) * 0.16);
  }
}

template <class Tag, class F, class Recipe, class Head>
void follow(const std::string& name) {
  using M = causal_lm<Tag, weights<F>>;
  using T = trainer<M, Recipe, head<Head>, optimizer<sgd>>;
  heap_arena memory(T::train_bytes);
  T t(memory, {.optimizer = {.lr = 0.0625f, .momentum = 0.5f, .weight_decay = 0.125f}});
  CHECK(memory.remaining() == 0);
  t.start_from([](const auto& w) { fill<M>(w); });
  fill_head(t.head());
  double worst = 0;
  const auto expected = stored(name);
  for (std::size_t s = 0; s < steps; ++s) {
    const work<T> w(s);
    const step_result r = t.step(w.inputs, w.lengths, w.targets);
    worst = worse(worst, std::fabs(static_cast<double>(r.loss) - expected[s].loss));
    worst = worse(
        worst, std::fabs(static_cast<double>(r.gradient_norm) - expected[s].other) / std::max(1.0, expected[s].other));
  }
  if constexpr (std::same_as<Recipe, at_once>) {
    const work<T> w(1);
    const head_evaluation e = t.evaluate(w.inputs, w.lengths, w.targets);
    worst = worse(worst, std::fabs(e.loss - expected[steps].loss));
    CHECK(e.accuracy == Approx(expected[steps].other).epsilon(1e-6));
    CHECK(e.counted == 3);
  }
  INFO(name << ": worst difference " << worst);
  CHECK(worst < 1e-4);
}

}  // namespace

TEMPLATE_TEST_CASE("heads of their own follow PyTorch at every step", "[parity]", f32, f64) {
  follow<gpt2, TestType, at_once, classification<3>>("gpt2_classification_mean");
  follow<gpt2, TestType, in_two, classification<3>>("gpt2_classification_mean");
  follow<gpt2, TestType, at_once, regression<2, last_row>>("gpt2_regression_last");
  follow<gpt2, TestType, in_two, regression<2, last_row>>("gpt2_regression_last");
  follow<llama, TestType, at_once, classification<3, last_row>>("llama_classification_last");
  follow<llama, TestType, at_once, regression<2>>("llama_regression_mean");
}

namespace {

struct tiny_gpt2 {
  static constexpr gpt2_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 9};
};
struct tiny_llama {
  static constexpr llama_config config{
      .vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .d_ff = 20, .context = 9, .tie_embeddings = false};
};
struct three {
  static constexpr train_config config{.batch = 4};
};

/// One batch: lengths from the whole context down to 0, and one more sequence that takes no part where there are
/// classes.
template <class T>
struct examples {
  std::vector<token> inputs = models::random_tokens(T::batch_tokens, T::shape.vocab, 5);
  std::vector<std::size_t> lengths{9, 5, 1, 0};
  std::vector<typename T::target> targets = std::vector<typename T::target>(T::batch_targets);

  examples() {
    rng random{8};
    for (auto& x : targets) {
      if constexpr (std::same_as<typename T::target, token>)
        x = static_cast<token>(random.below(T::head_type::outputs));
      else
        x = random.normal();
    }
    if constexpr (std::same_as<typename T::target, token>) targets[1] = ignore_token;
  }
};

/// The gradients `g` of numbers `x` against differences of the loss: all of a few, 40 of many.
template <class T>
void compare(T& t, const examples<T>& e, const char* name, span<double> x, span<const double> g) {
  t.forward_backward(e.inputs, e.lengths, e.targets);
  const std::vector<double> computed(g.begin(), g.end());
  const std::size_t looked_at = smaller(x.size(), 40);
  double worst = 0, largest = 0;
  for (std::size_t k = 0; k < looked_at; ++k) {
    const std::size_t i = k * x.size() / looked_at;
    const double saved = x[i];
    const double expected = extend::derivative(
        [&](double value) {
          x[i] = value;
          return t.evaluate(e.inputs, e.lengths, e.targets).loss;
        },
        saved);
    x[i] = saved;
    worst = worse(worst, std::fabs(expected - computed[i]));
    largest = worse(largest, std::fabs(expected));
  }
  INFO(name << ": largest gradient " << largest << ", worst difference " << worst);
  CHECK(worst < 1e-6 * largest + 1e-9);
}

template <class T>
void compare_head(T& t, const examples<T>& e) {
  CHECK(t.forward_backward(e.inputs, e.lengths, e.targets) ==
        Approx(t.evaluate(e.inputs, e.lengths, e.targets).loss).epsilon(1e-12));
  rng random{4};
  for (std::size_t i = 0; i < T::weights_of_head::count; ++i) {
    for (double& x : t.head()[i]) x = random.normal() * 0.5;
    const span<double> g = t.head_gradients()[i];
    compare(t, e, T::weights_of_head::tensors[i].name, t.head()[i], {g.data(), g.size()});
    double sum = 0;
    for (double x : g) sum += std::fabs(x);
    CHECK(sum > 1e-3);
  }
}

template <class Tag, class Head, class... Slots>
void check_gradients() {
  using T = trainer<causal_lm<Tag, weights<f64>>, three, head<Head>, Slots...>;
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  typename T::model::weights w;
  t.start_from([&](const auto& weights) {
    models::randomise<typename T::model>(weights, 0.3);
    w = weights;
  });
  const examples<T> e;
  compare_head(t, e);
  for (const tensor_info& info : T::model::tensors) {
    const auto g = t.gradients().numbers(info);
    if (info.id == tensor_id::head_weight)
      CHECK(g.empty());  // it leads nowhere
    else
      compare(t, e, info.name, w.numbers(info), {g.data(), g.size()});
  }
}

/// The same where adapters learn, or nothing but the head.
template <class Head, class Learns>
void check_part() {
  using M = causal_lm<tiny_llama, weights<f64>>;
  using T = trainer<M, three, head<Head>, Learns>;
  heap_arena memory(T::train_bytes), weight_memory(M::weight_bytes);
  typename M::weights w(weight_memory);
  models::randomise<M>(w, 0.3);
  T t(w, memory, {});
  CHECK(memory.remaining() == 0);
  const examples<T> e;
  compare_head(t, e);
  rng random{6};
  for (const tensor_info& info : std::remove_cvref_t<decltype(t.learned())>::tensors) {
    for (double& x : t.learned().numbers(info)) x = random.normal() * 0.3;
    const auto g = t.gradients().numbers(info);
    compare(t, e, info.name, t.learned().numbers(info), {g.data(), g.size()});
  }
}

}  // namespace

TEST_CASE("gradients of heads of their own equal central differences", "[parity]") {
  check_gradients<tiny_gpt2, classification<3>>();
  check_gradients<tiny_gpt2, regression<2, last_row>, recompute<2>>();
  check_gradients<tiny_llama, classification<2, last_row>>();
  check_gradients<tiny_llama, regression<1>>();
}

TEST_CASE("gradients of heads beside a part that learns equal central differences", "[parity]") {
  check_part<classification<3>, train_only<lora<4>>>();
  check_part<regression<2, last_row>, train_only<tensors::head>>();
}
