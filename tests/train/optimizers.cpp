// Optimizers against PyTorch, the paper's code, or the paper (make_optimizers.py): 200 steps of each.
#include "catch.hpp"
#include "paths.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <deque>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

constexpr std::size_t stored_stride = 41;
const std::vector<weight_stack> stacks{{1, 12, 50, weight_kind::hidden}, {1, 50, 12, weight_kind::hidden}, {1, 1, 40}};

/// What make_optimizers.py writes down too: of -1 to 1.
double noise(std::uint64_t stream, std::uint64_t index) {
  std::uint64_t z = stream * 1000003 + index + 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
}

struct record {
  std::size_t step;
  std::vector<double> numbers;
};
std::vector<record> stored(const std::string& name) {
  std::ifstream file(std::string(paths::source) + "/tests/train/optimizers.txt");
  REQUIRE(file.good());
  std::vector<record> all;
  std::string line, first;
  while (std::getline(file, line)) {
    std::istringstream in(line);
    record r;
    std::size_t n = 0;
    in >> first >> r.step >> n;
    if (first != name) continue;
    r.numbers.resize(n);
    for (double& x : r.numbers) in >> x;
    REQUIRE(in);
    all.push_back(r);
  }
  REQUIRE(all.size() == 3);
  return all;
}

template <class O, class T>
struct state_of {
  T* moments[4];
  static state_of place(heap_arena& a, const weight_stack& s) {
    state_of kept{};
    for (std::size_t i = 0; i < O::moments; ++i) kept.moments[i] = a.allocate<T>(s.size());
    return kept;
  }
};
template <class O, class T>
requires stack_optimizer<O>
struct state_of<O, T> : O::template state<T> {
  static state_of place(heap_arena& a, const weight_stack& s) { return {O::template place_state<T>(a, s)}; }
};

/// One tensor and its state, whichever of the two kinds the optimizer is.
template <class O, class T>
struct trained {
  weight_stack stack;
  std::vector<T> weights, gradients;
  heap_arena memory{1 << 18};
  state_of<O, T> state = state_of<O, T>::place(memory, stack);

  trained(const weight_stack& s, std::size_t i) : stack(s), weights(s.size()), gradients(s.size()) {
    for (std::size_t j = 0; j < s.size(); ++j) weights[j] = static_cast<T>(noise(i, j));
  }
  void look(std::size_t step, std::size_t i) {
    for (std::size_t j = 0; j < weights.size(); ++j) {
      const double centre = noise(100 + i, j), steep = 1.25 + 0.75 * noise(200 + i, j);
      gradients[j] =
          static_cast<T>((static_cast<double>(weights[j]) - centre) * steep + 0.3 * noise(1000 + 10 * step + i, j));
    }
  }
  template <class Backend, executor E>
  void step(Backend backend, E& exec, const typename O::options& o, const update& u) {
    const T* const g = gradients.data();
    if constexpr (elementwise_optimizer<O>) {
      O::apply(backend, weights.size(), weights.data(), g, state.moments, o, u);
    } else {
      const auto mark = memory.mark();
      const auto scratch = O::template place_scratch<T>(memory, backend, E::max_workers, stack);
      O::apply(backend, exec, stack, weights.data(), g, state, scratch, o, u);
      memory.rewind(mark);
    }
  }
};

/// The largest difference from what is stored.
template <class O, class T, class Backend>
double follow(Backend backend, const std::string& name, const typename O::options& o) {
  std::deque<trained<O, T>> tensors;
  for (std::size_t i = 0; i < stacks.size(); ++i) tensors.emplace_back(stacks[i], i);
  serial exec;
  double worst = 0;
  std::size_t step = 0;
  for (const record& r : stored(name)) {
    while (step < r.step) {
      ++step;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        tensors[i].look(step, i);
        tensors[i].step(backend, exec, o, {static_cast<double>(o.lr), step, 1.0, true});
      }
    }
    std::size_t at = 0;
    for (const auto& t : tensors) {
      double squares = 0;
      for (T w : t.weights) squares += static_cast<double>(w) * static_cast<double>(w);
      worst = worse(worst, std::fabs(squares / r.numbers[at++] - 1));
      for (std::size_t j = 0; j < t.weights.size(); j += stored_stride)
        worst = worse(worst, std::fabs(static_cast<double>(t.weights[j]) - r.numbers[at++]));
    }
    REQUIRE(at == r.numbers.size());
  }
  return worst;
}
template <class O>
void check(const std::string& name, const typename O::options& o) {
  REQUIRE(options_problem<O>(o).code == errc::ok);
  const double portable_double = follow<O, double>(portable{}, name, o);
  const double native_double = follow<O, double>(native{}, name, o);
  INFO(name << ": worst differences " << portable_double << ", " << native_double);
  CHECK(portable_double < 1e-5);
  CHECK(native_double < 1e-5);
}

}  // namespace

TEST_CASE("optimizers follow PyTorch for 200 steps", "[train]") {
  check<sgd>("sgd", {.lr = 0.05f});
  check<sgd>("sgd_nesterov", {.lr = 0.05f, .momentum = 0.8f, .weight_decay = 0.02f, .nesterov = true});
  check<sgd>("sgd_dampened", {.lr = 0.05f, .weight_decay = 0.02f, .dampening = 0.4f});
  check<adam>("adam", {.lr = 0.01f, .weight_decay = 0.05f});
  check<adamw>("adamw", {.lr = 0.01f, .weight_decay = 0.1f});
  check<rmsprop>("rmsprop", {.lr = 0.005f, .alpha = 0.95f});
  check<rmsprop>("rmsprop_momentum", {.lr = 0.002f, .alpha = 0.95f, .momentum = 0.9f, .weight_decay = 0.05f});
  check<centered_rmsprop>("centered_rmsprop", {.lr = 0.002f, .alpha = 0.95f, .eps = 1e-3f, .momentum = 0.5f});
  check<adafactor>("adafactor", {.lr = 0.05f, .weight_decay = 0.02f});
  check<adafactor>("adafactor_limits", {.lr = 0.3f, .beta2_decay = -0.5f, .eps1 = 0.3f, .eps2 = 0.5f, .limit = 1.25f});
  check<muon>("muon", {.lr = 0.02f, .others = {.lr = 0.01f}});
  check<muon>("muon_matched", {.lr = 0.01f,
                               .momentum = 0.9f,
                               .nesterov = false,
                               .weight_decay = 0,
                               .iterations = 4,
                               .match_adamw = true,
                               .others = {.lr = 0.01f}});
}

TEST_CASE("optimizers follow their papers for 200 steps", "[train]") {
  check<lion>("lion", {.lr = 0.005f, .weight_decay = 0.1f});
  check<adam8>("adam8", {.lr = 0.01f, .weight_decay = 0.1f});
}

TEST_CASE("optimizers in single precision stay near", "[train]") {
  const auto near = []<class O>(O, const std::string& name, const typename O::options& o) {
    INFO(name);
    CHECK(follow<O, float>(native{}, name, o) < 1e-5);
  };
  near(sgd{}, "sgd_nesterov", {.lr = 0.05f, .momentum = 0.8f, .weight_decay = 0.02f, .nesterov = true});
  near(adam{}, "adam", {.lr = 0.01f, .weight_decay = 0.05f});
  near(rmsprop{}, "rmsprop", {.lr = 0.005f, .alpha = 0.95f});
  near(muon{}, "muon", {.lr = 0.02f, .others = {.lr = 0.01f}});
}
