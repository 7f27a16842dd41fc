// Optimizers of low rank: GaLore against numpy (make_galore.py), and the stabiliser against its formulas.
#include "catch.hpp"
#include "paths.hpp"

#include "../model/models.hpp"
#include "runs.hpp"
#include "worse.hpp"

#include <ctlm/policy/optimizer/galore.hpp>
#include <ctlm/policy/optimizer/stabilised.hpp>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <tuple>

using namespace ctlm;
using namespace models;
using namespace runs;

namespace {

struct recipe {
  static constexpr train_config config{.batch = 2, .sequence = 16};
};

#if CTLM_FEW_KINDS  // the others go the same ways
using shared_optimizers = std::tuple<galore<adam8, 24>, stabilised<muon>>;
#else
using shared_optimizers = std::tuple<galore<adamw, 24>, galore<adam8, 24>, stabilised<adamw>, stabilised<muon>>;
using learning_optimizers = std::tuple<galore<adamw, 8>, galore<adam8, 8>, stabilised<adamw>, stabilised<adam8>>;
#endif

/// What make_galore.py writes down too: of -1 to 1.
double noise(std::uint64_t stream, std::uint64_t index) {
  std::uint64_t z = stream * 1000003 + index + 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
}

/// One stack that an optimizer updates, in memory of exactly the size that it asks for.
template <class O, class T, class Backend = native, executor E = serial>
class updated {
 public:
  explicit updated(const weight_stack& s, E& exec)
      : stack(s),
        weights(s.size()),
        gradients(s.size()),
        exec_(exec),
        state_memory_(measure([&](auto& a) { O::template place_state<T>(a, s); })),
        scratch_memory_(measure([&](auto& a) { O::template place_scratch<T>(a, Backend{}, E::max_workers, s); })),
        state_(O::template place_state<T>(state_memory_, s)),
        scratch_(O::template place_scratch<T>(scratch_memory_, Backend{}, E::max_workers, s)) {}

  void step(const typename O::options& o, const update& u) {
    O::apply(Backend{}, exec_, stack, weights.data(), static_cast<const T*>(gradients.data()), state_, scratch_, o, u);
  }

  weight_stack stack;
  std::vector<T> weights, gradients;

 private:
  E& exec_;
  heap_arena state_memory_, scratch_memory_;
  typename O::template state<T> state_;
  typename O::template scratch<T> scratch_;
};

/// The largest difference from what is stored.
template <class O, class T, class Backend>
double follow_numpy() {
  const std::vector<weight_stack> stacks{
      {1, 12, 50, weight_kind::hidden}, {1, 50, 12, weight_kind::hidden}, {1, 1, 40, weight_kind::table}};
  serial exec;
  std::vector<updated<O, T, Backend>> tensors;
  tensors.reserve(3);
  for (std::size_t i = 0; i < 3; ++i) {
    tensors.emplace_back(stacks[i], exec);
    for (std::size_t j = 0; j < stacks[i].size(); ++j) tensors[i].weights[j] = static_cast<T>(noise(i, j));
  }
  std::ifstream file(std::string(paths::source) + "/tests/train/galore.txt");
  REQUIRE(file.good());
  double worst = 0;
  std::size_t step = 0, records = 0;
  for (std::string line; std::getline(file, line); ++records) {
    std::istringstream in(line);
    std::size_t until = 0, count = 0, seen = 0;
    in >> until >> count;
    const auto differs = [&](double ours, bool relative = false) {
      double x = 0;
      REQUIRE(in >> x);
      worst = worse(worst, relative ? std::fabs(ours / x - 1) : std::fabs(ours - x));
      ++seen;
    };
    while (step < until) {
      ++step;
      for (std::size_t i = 0; i < 3; ++i) {
        auto& t = tensors[i];
        for (std::size_t j = 0; j < t.weights.size(); ++j) {
          const double w = static_cast<double>(t.weights[j]);
          t.gradients[j] = static_cast<T>((w - noise(100 + i, j)) * (1.25 + 0.75 * noise(200 + i, j)) +
                                          0.3 * noise(1000 + 10 * step + i, j));
        }
        typename O::options o{.lr = 0.01f, .period = 60};
        o.inner.weight_decay = 0.1f;
        t.step(o, {static_cast<double>(0.01f), step, 1.0, true});
      }
    }
    for (const auto& t : tensors) {
      double squares = 0;
      for (T w : t.weights) squares += static_cast<double>(w) * static_cast<double>(w);
      differs(squares, true);
      for (std::size_t j = 0; j < t.weights.size(); j += 41) differs(static_cast<double>(t.weights[j]));
    }
    REQUIRE(seen == count);
  }
  REQUIRE(records == 5);
  return worst;
}

/// An optimizer that tells what it was given: weights become gradients.
struct shows {
  static constexpr const char* name = "shows";
  static constexpr std::size_t moments = 0;
  struct options {
    float lr = 0;
  };
  template <class Backend, class T>
  static constexpr void apply(Backend, std::size_t n, T* w, const T* g, T**, const options&, const update& u) {
    for (std::size_t i = 0; i < n; ++i) w[i] = g[i] * T(u.gradient_scale);
  }
};

/// a [rows][cols] without all but its `rank` largest singular values.
std::vector<double> truncated(std::size_t rows, std::size_t cols, std::vector<double> a, std::size_t rank) {
  std::vector<double> u(rows * rows), s(rows), b(rows * cols);
  jacobi_svd(rows, cols, a.data(), u.data(), s.data());
  for (std::size_t k = 0; k < rank; ++k)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) b[i * cols + j] += s[k] * u[k * rows + i] * a[k * cols + j];
  return b;
}
double length(const std::vector<double>& a) {
  double n = 0;
  for (double x : a) n += x * x;
  return std::sqrt(n);
}
/// The stabiliser written down once more, with exact decompositions.
std::vector<double> stabilised_by_formula(std::size_t rows, std::size_t cols, const std::vector<double>& g,
                                          balance_rule rule, std::size_t rank, std::size_t residual_rank,
                                          std::size_t iterations, double scale, bool keep_norm) {
  std::vector<double> d(rows, 1.0), w = g;
  for (std::size_t i = 0; i < rows; ++i) {
    double sum = 0, squares = 0;
    for (std::size_t j = 0; j < cols; ++j) sum += g[i * cols + j], squares += g[i * cols + j] * g[i * cols + j];
    const double threshold = static_cast<double>(1e-6f);
    if (rule == balance_rule::row_norms) d[i] = std::max(std::sqrt(squares), threshold);
    if (rule == balance_rule::row_sums) d[i] = std::fabs(sum) > threshold ? sum : sum < 0 ? -threshold : threshold;
    for (std::size_t j = 0; j < cols; ++j) w[i * cols + j] /= d[i];
  }
  auto p = truncated(rows, cols, w, rank);
  for (std::size_t k = 0; k < iterations; ++k) {
    auto r = w;
    for (std::size_t i = 0; i < r.size(); ++i) r[i] -= p[i];
    const auto q = truncated(rows, cols, r, residual_rank);
    for (std::size_t i = 0; i < r.size(); ++i) p[i] += scale * q[i];
  }
  for (std::size_t i = 0; i < p.size(); ++i) p[i] *= d[i / cols];
  const double factor = length(g) / length(p);
  if (factor < 1 || keep_norm)
    for (double& x : p) x *= factor;
  return p;
}
/// Singular values of which each is half of the one before it.
std::vector<double> halving(std::size_t rows, std::size_t cols) {
  std::vector<double> a(rows * cols), u(rows * rows), s(rows), b(rows * cols);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = noise(77, i);
  jacobi_svd(rows, cols, a.data(), u.data(), s.data());
  for (std::size_t k = 0; k < rows; ++k)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j)
        b[i * cols + j] += std::pow(0.5, static_cast<double>(k)) * u[k * rows + i] * a[k * cols + j];
  return b;
}

}  // namespace

TEST_CASE("GaLore follows numpy for 200 steps", "[train]") {
  using exact = galore<adamw, 4, exact_projection>;
#if !CTLM_FEW_KINDS  // the same ways, at the cost of a compiler's time
  CHECK(follow_numpy<exact, double, portable>() < 1e-8);
  CHECK(follow_numpy<exact, double, native>() < 1e-8);
#endif
  CHECK(follow_numpy<exact, float, native>() < 1e-4);
  // Of twelve directions the random one looks at all, and finds the same.
  CHECK(follow_numpy<galore<adamw, 4>, double, native>() < 1e-4);
}

TEST_CASE("the stabiliser follows its formula", "[train]") {
  const std::size_t rows = 20, cols = 32;
  const auto g = halving(rows, cols);
  serial exec;
  using O = stabilised<shows, 50>;
  updated<O, double> t({1, rows, cols, weight_kind::hidden}, exec);
  t.gradients = g;
  for (balance_rule rule : {balance_rule::none, balance_rule::row_norms, balance_rule::row_sums})
    for (std::size_t iterations : {0u, 1u, 3u})
      for (bool keep_norm : {false, true}) {
        const O::options o{.balance = rule,
                           .rank_ratio = 0.15f,
                           .residual_ratio = 0.1f,
                           .iterations = iterations,
                           .residual_scale = 0.25f,
                           .keep_norm = keep_norm,
                           .power_steps = 6};
        t.step(o, {0, 1, 1.0, false});
        const auto expected = stabilised_by_formula(rows, cols, g, rule, 3, 2, iterations, 0.25, keep_norm);
        double worst = 0;
        for (std::size_t i = 0; i < g.size(); ++i) worst = worse(worst, std::fabs(t.weights[i] - expected[i]));
        INFO("rule " << static_cast<int>(rule) << ", " << iterations << " iterations");
        CHECK(worst < 1e-9);
        CHECK(length(t.weights) <= length(g) * (1 + 1e-12));
      }
}

TEST_CASE("a gradient of low rank passes the stabiliser as it is, in halves of its length too", "[train]") {
  const std::size_t rows = 40, cols = 60;
  std::vector<float> g(rows * cols);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j)
      g[i * cols + j] = static_cast<float>(noise(1, i) * noise(2, j) + noise(3, i) * noise(4, j));
  serial exec;
  using O = stabilised<shows>;
  updated<O, float> t({1, rows, cols, weight_kind::hidden}, exec), vector({1, 1, 60, weight_kind::vector}, exec);
  t.gradients = g;
  for (const O::options& o : {O::options{}, O::options::conservative(), O::options::balanced(),
                              O::options::aggressive(), O::options{.balance = balance_rule::none}}) {
    REQUIRE(options_problem<O>(o).code == errc::ok);
    for (double scale : {1.0, 0.5}) {
      t.step(o, {0, 1, scale, false});
      double worst = 0;
      for (std::size_t i = 0; i < g.size(); ++i)
        worst = worse(worst, std::fabs(static_cast<double>(t.weights[i]) - scale * static_cast<double>(g[i])));
      CHECK(worst < 1e-5);
    }
  }
  vector.gradients.assign(60, 3);
  vector.step({}, {0, 1, 0.5, false});
  CHECK(vector.weights == std::vector<float>(60, 1.5f));
}

TEST_CASE("what is not finite counts as 0, 1 and -1; nothing at all stays nothing", "[train]") {
  const std::size_t rows = 30, cols = 40;
  serial exec;
  using O = stabilised<shows, 30>;
  updated<O, float> broken({1, rows, cols, weight_kind::hidden}, exec),
      whole({1, rows, cols, weight_kind::hidden}, exec);
  for (std::size_t i = 0; i < rows * cols; ++i)
    broken.gradients[i] = whole.gradients[i] = static_cast<float>(noise(5, i));
  const auto put = [&](std::size_t i, float is, float counts_as) {
    broken.gradients[i] = is;
    whole.gradients[i] = counts_as;
  };
  put(7, std::numeric_limits<float>::quiet_NaN(), 0);
  put(300, std::numeric_limits<float>::infinity(), 1);
  put(1199, -std::numeric_limits<float>::infinity(), -1);
  for (balance_rule rule : {balance_rule::none, balance_rule::row_norms, balance_rule::row_sums}) {
    broken.step({.balance = rule}, {0, 1, 1.0, false});
    whole.step({.balance = rule}, {0, 1, 1.0, false});
    CHECK(broken.weights == whole.weights);
    updated<O, float> none({1, rows, cols, weight_kind::hidden}, exec);
    none.weights.assign(rows * cols, 7);
    none.step({.balance = rule}, {0, 1, 1.0, false});
    CHECK(none.weights == std::vector<float>(rows * cols));
  }
}

TEMPLATE_LIST_TEST_CASE("optimizers of low rank: the same bits for 1, 2 and 3 threads, and after resuming",
                        "[train][threads]", shared_optimizers) {
  using alone = trainer<causal_lm<wide>, recipe, optimizer<TestType>>;
  using shared = trainer<causal_lm<wide, threads<pool<3>>>, recipe, optimizer<TestType>>;
  typename alone::options o{};
  if constexpr (requires { o.optimizer.period; }) o.optimizer.period = 2;
  heap_arena first(alone::train_bytes), third(alone::train_bytes);
  alone a(first, o), resumed(third, o);
  CHECK(first.remaining() == 0);
  const auto before = numbers_of<typename alone::model>(a.weights());
  for (std::uint64_t s = 1; s <= 4; ++s) one_step(a, s);
  const auto after = numbers_of<typename alone::model>(a.weights());
  CHECK(after != before);
  for (std::size_t threads : {2u, 3u}) {
    pool<3> workers(threads);
    heap_arena second(shared::train_bytes);
    typename shared::options same{};
    same.optimizer = o.optimizer;
    shared b(second, same, workers);
    for (std::uint64_t s = 1; s <= 4; ++s) one_step(b, s);
    CHECK(numbers_of<typename shared::model>(b.weights()) == after);
  }
  const auto saved = state_of(a);
  std::size_t i = 0;
  resumed.for_each_state([&](const char*, void* data, std::size_t bytes) {
    REQUIRE(saved[i].size() == bytes);
    std::memcpy(data, saved[i++].data(), bytes);
  });
  for (std::uint64_t s = 9; s <= 11; ++s) CHECK(one_step(a, s).loss == one_step(resumed, s).loss);
  CHECK(state_of(a) == state_of(resumed));
}

TEST_CASE("GaLore's state: the long side times the rank, and the projection", "[train]") {
  constexpr weight_stack high{1, 200, 96, weight_kind::hidden}, low{3, 96, 200, weight_kind::hidden},
      square{1, 24, 24, weight_kind::hidden}, table{1, 300, 96, weight_kind::table};
  const auto bytes = []<class O>(O, const weight_stack& s) {
    return measure([&](auto& a) { O::template place_state<float>(a, s); });
  };
  using O = galore<adamw, 24>;
  CHECK(bytes(O{}, high) == 4 * (24 * 96 + 2 * 200 * 24) + 64);
  CHECK(bytes(O{}, low) == 3 * 4 * (24 * 96 + 2 * 200 * 24) + 64);
  CHECK(bytes(O{}, square) == 4 * 2 * 24 * 24);  // not longer than the rank: AdamW's
  CHECK(bytes(O{}, table) == 4 * 2 * 300 * 96);
  CHECK(bytes(galore<adam8, 24>{}, high) ==
        4 * 24 * 96 + 2 * (200 * 24 + round_up(4 * ceil_div(200 * 24, 256), 64)) + 64);
  using M = causal_lm<wide>;
  constexpr std::size_t whole = trainer<M, recipe>::state_bytes;
  constexpr std::size_t few = trainer<M, recipe, optimizer<O>>::state_bytes;
  constexpr std::size_t fewest = trainer<M, recipe, optimizer<galore<adam8, 24>>>::state_bytes;
  CHECK(few < whole / 2);  // half of the weights are the embeddings
  CHECK(fewest < few / 2);
  CHECK(trainer<M, recipe, optimizer<stabilised<adamw>>>::state_bytes >= whole);
  CHECK(trainer<M, recipe, optimizer<stabilised<adamw>>>::state_bytes < whole + whole / 100);
}

#if !CTLM_FEW_KINDS  // the same ways as above, at the cost of a compiler's time
TEMPLATE_LIST_TEST_CASE("optimizers of low rank learn a sequence", "[train]", learning_optimizers) {
  using T = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<TestType>>;
  heap_arena memory(T::train_bytes);
  typename T::options o{};
  o.optimizer.lr = 5e-3f;
  if constexpr (requires { o.optimizer.scale; }) o.optimizer.scale = 1, o.optimizer.period = 20;
  T t(memory, o);
  std::vector<token> tokens(T::step_tokens), targets(T::step_tokens);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<token>(i * i % 17);
    targets[i] = static_cast<token>((i + 1) * (i + 1) % 17);
  }
  const float first = t.step(tokens, targets).loss;
  float last = first;
  for (int i = 0; i < 150; ++i) last = t.step(tokens, targets).loss;
  CHECK(first > 3.5f);
  CHECK(last < 0.4f);
}
#endif

TEST_CASE("groups change the rate and the decay of optimizers of low rank", "[train]") {
  using M = causal_lm<tiny_gpt2>;
  using T = trainer<M, recipe, optimizer<galore<adamw, 8>>, groups<tensors::up, tensors::down>>;
  heap_arena memory(T::train_bytes), other(T::train_bytes);
  typename T::options o{.groups = {{.rate = 0}, {.decay = 0}}};
  o.optimizer.inner.weight_decay = 0.5f;
  auto p = o;
  p.groups[1].decay = 1;
  T t(memory, o), u(other, p);
  const auto up = rule_of(tensor_id::up_weight).id, down = rule_of(tensor_id::down_weight).id;
  const auto of = [](T& x, tensor_id id) {
    std::vector<float> all;
    for (const tensor_info& i : M::tensors)
      if (i.id == id) {
        const auto n = x.weights().numbers(i);
        all.assign(n.begin(), n.end());
      }
    return all;
  };
  const auto before = of(t, up);
  one_step(t, 1), one_step(u, 1);
  CHECK(of(t, up) == before);
  CHECK(of(t, down) != of(u, down));
}

#if CTLM_EXCEPTIONS
TEST_CASE("optimizers of low rank refuse options in words", "[train]") {
  const auto refuses = []<class O>(const typename O::options& o, const char* words, O) {
    using T = trainer<causal_lm<tiny_gpt2>, recipe, optimizer<O>>;
    heap_arena memory(T::train_bytes);
    CHECK_THROWS_WITH(T(memory, {.optimizer = o}), Catch::Contains(words));
  };
  refuses({.scale = -1}, "optimizer.scale must be a finite number of at least 0", galore<adamw, 4>{});
  refuses({.period = 0}, "optimizer.period must be at least 1 step, not 0", galore<adamw, 4>{});
  refuses({.inner = {.eps = 0}}, "optimizer.eps must be a finite number above 0", galore<adamw, 4>{});
  refuses({.rank_ratio = 0.16f}, "optimizer.rank_ratio must be above 0 and at most the percentage of stabilised<>",
          stabilised<adamw>{});
  refuses({.residual_ratio = 0}, "optimizer.residual_ratio must be above 0", stabilised<adamw>{});
  refuses({.threshold = 0}, "optimizer.threshold must be a finite number above 0", stabilised<adamw>{});
  refuses({.inner = {.beta1 = 1}}, "optimizer.beta1 must be at least 0 and less than 1", stabilised<adamw>{});
}
#endif
