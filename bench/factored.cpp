// Low rank in training: one factored layer's passes beside a whole one's, and whole trainings on characters of a text.
//
//   factored layer [--threads 2] [--rows 768]       time of forward + backward, memory, for shapes and ranks
//   factored train TEXT --how HOW [--rank N] [--shape nano|gpt_10m] [--bf16] [--threads 2] [--iterations 2000]
//       [--total N] [--rate x] [--seed 1337] [--scale 4] [--switch N] [--later-rate x] [--evaluate N] [--time-alone]
//
// HOW: whole; galore (AdamW in a quarter of the width's directions, of --scale) and stabilised (as it is by default),
// with whole matrices; factored (from random weights), large (only the four times wider matrices are factored),
// progressive (whole matrices for --switch steps), dynamic (the rank falls from --rank to a quarter of it over the
// first half). Shape nano is nanoGPT's CPU recipe (4 layers, width 128, context 64, batch 12; ranks 16, 32 and 64),
// gpt_10m has 6 layers of width 384, context 256, 10.8 million numbers, in batches of 8 (ranks 32, 64 and 128).
// Learning rate and schedule are the recipe's: 1e-3, a warm-up of 100 steps or of a tenth of all, cosine to a tenth at
// --total.
// --bf16 is compute<bf16>. Each run prints a line: time, losses, numbers, bytes of state and of the trainer; a
// progressive one has the bytes of state after the switch.
#include "shapes.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/policy/optimizer/galore.hpp>
#include <ctlm/policy/optimizer/stabilised.hpp>
#include <ctlm/train/narrow.hpp>
#include <ctlm/train/progressive.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace ctlm;
using executor_type = pool<16>;
using clock_type = std::chrono::steady_clock;

struct options {
  std::string what, text, how = "factored", shape = "nano";
  std::size_t rank = 0, threads = 2, iterations = 2000, total = 0, rows = 768, switch_at = 0, evaluate_every = 0;
  float rate = 1e-3f, later_rate = 1, scale = 4;
  std::uint64_t seed = 1337;
  bool judged = true, bf16 = false;
};

[[noreturn]] void usage(const std::string& wrong) {
  std::fprintf(stderr, "factored: %s\n", wrong.c_str());
  std::exit(2);
}

options parse(int count, char** arguments) {
  options o;
  if (count < 2) usage("layer or train?");
  o.what = arguments[1];
  for (int i = 2; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--bf16") {
      o.bf16 = true;
      continue;
    }
    if (name == "--time-alone") {
      o.judged = false;
      continue;
    }
    if (name[0] != '-') {
      o.text = name;
      continue;
    }
    if (++i == count) usage(name + " needs a value");
    const char* const value = arguments[i];
    const auto number = static_cast<std::size_t>(std::strtoull(value, nullptr, 10));
    if (name == "--how")
      o.how = value;
    else if (name == "--shape")
      o.shape = value;
    else if (name == "--rank")
      o.rank = number;
    else if (name == "--threads")
      o.threads = number;
    else if (name == "--iterations")
      o.iterations = number;
    else if (name == "--total")
      o.total = number;
    else if (name == "--rows")
      o.rows = number;
    else if (name == "--switch")
      o.switch_at = number;
    else if (name == "--evaluate")
      o.evaluate_every = number;
    else if (name == "--rate")
      o.rate = std::strtof(value, nullptr);
    else if (name == "--scale")
      o.scale = std::strtof(value, nullptr);
    else if (name == "--later-rate")
      o.later_rate = std::strtof(value, nullptr);
    else if (name == "--seed")
      o.seed = number;
    else
      usage("what is " + name + "?");
  }
  if (o.total == 0) o.total = o.iterations;
  return o;
}

// One layer: y = x W^T, dx and dW, of a matrix [n][k], whole or as factors.

template <class F>
double median_ms(F&& f) {
  f();
  std::vector<double> times(15);
  for (double& ms : times) {
    const auto before = clock_type::now();
    f();
    ms = std::chrono::duration<double, std::milli>(clock_type::now() - before).count();
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct numbers {
  std::vector<float> data;
  explicit numbers(std::size_t n, std::uint64_t seed = 0) : data(n) {
    rng random{mix(seed, 9)};
    if (seed != 0)
      for (float& x : data) x = static_cast<float>(random.uniform() - 0.5);
  }
  operator float*() { return data.data(); }
};

void layer(const options& o) {
  executor_type exec(o.threads);
  std::printf("%zu rows, %zu threads; ms of forward + backward, and numbers with gradient and two moments in MiB\n",
              o.rows, exec.workers());
  std::printf("%-12s %8s %10s %8s %10s %8s\n", "n x k", "rank", "ms", "faster", "MiB", "smaller");
  const std::size_t m = o.rows;
  for (const auto& [n, k] : {std::pair<std::size_t, std::size_t>{384, 128},
                             {512, 128},
                             {128, 512},
                             {1152, 384},
                             {1536, 384},
                             {384, 1536},
                             {3072, 768},
                             {768, 3072}}) {
    const std::size_t widest = larger(m, larger(n, k));
    heap_arena memory(16 * gemm_workspace<float>(native{}, widest, widest, widest) * sizeof(float) + (1 << 20));
    linear_workspace<native, f32, decoded> ws;
    ws.panel_stride = gemm_workspace<float>(native{}, widest, widest, widest);
    ws.panels = memory.allocate<float>(16 * ws.panel_stride);
    numbers x(m * k, 1), dy(m * n, 2), y(m * n), dx(m * k), w(n * k, 3), dw(n * k), bias(n, 4), dbias(n);
    const matrix<f32> whole{w, n, k}, dwhole{dw, n, k};
    const double base = median_ms([&] {
      linear(native{}, exec, m, static_cast<const float*>(x), whole, linear_terms<float>{bias, nullptr},
             static_cast<float*>(y), ws);
      linear_backward_weight(native{}, exec, m, static_cast<const float*>(dy), static_cast<const float*>(x), dwhole,
                             false, static_cast<float*>(dbias), ws);
      linear_backward_input(native{}, exec, m, static_cast<const float*>(dy), whole, static_cast<float*>(dx), false,
                            ws);
    });
    const double mib = 4.0 * 4 * static_cast<double>(n * k) / (1 << 20);
    char name[32];
    std::snprintf(name, sizeof name, "%zu x %zu", n, k);
    std::printf("%-12s %8s %10.3f %8s %10.2f\n", name, "whole", base, "", mib);
    for (const std::size_t r : {16, 32, 64, 128, 256}) {
      if (r > smaller(n, k)) continue;
      numbers u(n * r, 5), s(r, 6), v(r * k, 7), d(n, 8), du(n * r), ds(r), dv(r * k), dd(n);
      const factored_matrix<matrix<f32>, float> f{{u, n, r}, s, {v, r, k}, d, r}, g{{du, n, r}, ds, {dv, r, k}, dd, r};
      numbers hidden(m * r), dhidden(m * r), thin(n * r);
      const factored_scratch<float> scratch{hidden, dhidden, thin};
      const double ms = median_ms([&] {
        factored_linear(native{}, exec, m, static_cast<const float*>(x), f, static_cast<const float*>(bias),
                        static_cast<float*>(y), ws, scratch);
        factored_backward(native{}, exec, m, static_cast<const float*>(dy), static_cast<const float*>(x), f, g,
                          static_cast<float*>(dbias), static_cast<float*>(dx), false, ws, scratch);
      });
      const double its_mib = 4.0 * 4 * static_cast<double>(r * (n + k + 1) + n) / (1 << 20);
      std::printf("%-12s %8zu %10.3f %7.2fx %10.2f %7.2fx\n", name, r, ms, base / ms, its_mib, mib / its_mib);
    }
  }
}

// Whole trainings.

struct nano {
  static constexpr gpt2_config config{.vocab = 65, .d_model = 128, .layers = 4, .heads = 4, .context = 64};
  static constexpr train_config recipe{.batch = 12};
};
template <class Shape>
struct recipe_of {
  static constexpr train_config config = Shape::recipe;
};

/// The text as ids of its characters, in order of their codes.
std::vector<token> read_characters(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::set<char> alphabet(text.begin(), text.end());
  if (alphabet.size() != 65) usage("this text does not have the 65 different characters of tinyshakespeare");
  token id_of[256]{};
  token next = 0;
  for (const char c : alphabet) id_of[static_cast<unsigned char>(c)] = next++;
  std::vector<token> ids;
  for (const char c : text) ids.push_back(id_of[static_cast<unsigned char>(c)]);
  return ids;
}

template <class Trainer>
double evaluate(Trainer& t, span<const token> text) {
  constexpr std::size_t n = Trainer::sequence, rows = Trainer::batch;
  const std::size_t windows = (text.size() - 1) / n;
  std::vector<token> inputs(Trainer::batch_tokens), targets(Trainer::batch_tokens);
  double total = 0;
  for (std::size_t first = 0; first < windows; first += rows) {
    const std::size_t used = smaller(rows, windows - first);
    std::fill(targets.begin(), targets.end(), ignore_token);
    for (std::size_t r = 0; r < used; ++r) {
      std::copy_n(text.data() + (first + r) * n, n, inputs.data() + r * n);
      std::copy_n(text.data() + (first + r) * n + 1, n, targets.data() + r * n);
    }
    total += t.evaluate(inputs, targets) * static_cast<double>(used);
  }
  return total / static_cast<double>(windows);
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

/// Sizes of a trainer, in bytes, and of the model that comes of it.
struct sizes {
  std::size_t numbers, state, train;
};

/// Trains, and says what came of it; time is that of the steps alone. Of a progressive run, there are medians of the
/// steps before the switch and of those after it, without the step that switches.
template <class Trainer, class Before>
void train(Trainer& t, const std::vector<token>& ids, const options& o, const sizes& its, Before&& before_step) {
  const span<const token> all(ids.data(), ids.size());
  const std::size_t cut = ids.size() * 9 / 10;
  const span<const token> text = all.first(cut), held_out = all.subspan(cut);
  rng random{mix(o.seed, 1)};
  std::vector<token> inputs(Trainer::step_tokens), targets(Trainer::step_tokens);
  const std::size_t n = Trainer::sequence;
  double seconds = 0, switching = 0;
  std::vector<double> times[2];
  float loss = 0;
  for (std::size_t step = 0; step < o.iterations; ++step) {
    const auto before = clock_type::now();
    for (std::size_t r = 0; r < inputs.size() / n; ++r) {
      const std::size_t start = random.below(text.size() - n);
      std::copy_n(text.data() + start, n, inputs.data() + r * n);
      std::copy_n(text.data() + start + 1, n, targets.data() + r * n);
    }
    before_step(step);
    loss = t.step(inputs, targets).loss;
    const double time = std::chrono::duration<double>(clock_type::now() - before).count();
    seconds += time;
    if (o.how == "progressive" && step == o.switch_at)
      switching = time;
    else
      times[o.how == "progressive" && step > o.switch_at].push_back(1e3 * time);
    if (o.evaluate_every > 0 && (step + 1) % o.evaluate_every == 0 && step + 1 < o.iterations)
      std::fprintf(stderr, "step %zu, %.1f s: validation loss %.4f\n", step + 1, seconds, evaluate(t, held_out));
  }
  std::printf("%s %s%s", o.shape.c_str(), o.how.c_str(), o.bf16 ? " bf16" : "");
  if (o.rank > 0) std::printf(" rank %zu", o.rank);
  if (o.how == "progressive") std::printf(" switch %zu", o.switch_at);
  std::printf(" seed %zu: %zu steps, %.1f s, median %.3f ms", static_cast<std::size_t>(o.seed), o.iterations, seconds,
              median(times[0]));
  if (!times[1].empty()) std::printf(", then %.3f ms, the switch %.3f ms", median(times[1]), 1e3 * switching);
  if (o.judged)
    std::printf(", train loss %.4f, validation loss %.4f", static_cast<double>(loss), evaluate(t, held_out));
  std::printf(", %.2f million numbers, state %zu bytes, train_bytes %.2f MiB\n", static_cast<double>(its.numbers) / 1e6,
              its.state, static_cast<double>(its.train) / (1 << 20));
}

constexpr adamw::options adamw_of(float rate) {
  return {.lr = rate, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .weight_decay = 0.1f};
}
template <class Optimizer>
typename Optimizer::options optimizer_of(const options& o) {
  if constexpr (std::same_as<Optimizer, adamw>) {
    return adamw_of(o.rate);
  } else {
    typename Optimizer::options its{.lr = o.rate, .inner = adamw_of(o.rate)};
    if constexpr (requires { its.period; }) its.scale = o.scale;
    return its;
  }
}
template <class Trainer, class Optimizer>
typename Trainer::options settings_of(const options& o) {
  return {.seed = o.seed,
          .optimizer = optimizer_of<Optimizer>(o),
          .schedule = {.warmup = smaller(100, larger(1, o.total / 10)), .total = o.total, .min_lr = o.rate / 10},
          .clip_norm = 1.0f};
}

template <class Shape, class... Slots>
using model_of = causal_lm<Shape, activation<gelu>, threads<executor_type>, Slots...>;

/// A model that learns as it is: `Precision` is a pack of one or no slot of the trainer.
template <class Shape, class Optimizer, class Model, class... Precision>
void run(const options& o, const std::vector<token>& ids) {
  using trainer_type =
      trainer<Model, recipe_of<Shape>, schedule<warmup_cosine>, ctlm::optimizer<Optimizer>, Precision...>;
  executor_type exec(o.threads);
  heap_arena memory(trainer_type::train_bytes);
  trainer_type t(memory, settings_of<trainer_type, Optimizer>(o), exec);
  const rank_schedule ranks{.first = o.rank, .last = o.rank / 4, .to = o.total / 2};
  const sizes its{Model::parameters, trainer_type::state_bytes, trainer_type::train_bytes};
  train(t, ids, o, its, [&](std::size_t step) {
    if constexpr (Model::shape.is_factored())
      if (o.how == "dynamic") narrow(t, ranks.at(step));
  });
}

template <class Shape, class Model, class... Precision>
void run_progressive(const options& o, const std::vector<token>& ids) {
  using trainer_type = progressive_trainer<Model, recipe_of<Shape>, schedule<warmup_cosine>, Precision...>;
  executor_type exec(o.threads);
  heap_arena memory(trainer_type::train_bytes);
  trainer_type t(memory, settings_of<trainer_type, adamw>(o), {.switch_at = o.switch_at, .rate = o.later_rate}, exec);
  const sizes its{Model::parameters, trainer_type::factored_trainer::state_bytes, trainer_type::train_bytes};
  train(t, ids, o, its, [](std::size_t) {});
}

template <class Shape, std::size_t Rank, class... Precision>
void run_rank(const options& o, const std::vector<token>& ids) {
  using every = model_of<Shape, factored<Rank>>;
  using large = model_of<Shape, factored<Rank, above<Shape::config.d_model * Shape::config.d_model * 4>>>;
  if (o.how == "factored" || o.how == "dynamic") return run<Shape, adamw, every, Precision...>(o, ids);
  if (o.how == "progressive") return run_progressive<Shape, every, Precision...>(o, ids);
  if (o.how == "large") return run<Shape, adamw, large, Precision...>(o, ids);
  usage("there is no " + o.how);
}

template <class Shape, class... Precision>
void run_how(const options& o, const std::vector<token>& ids) {
  constexpr std::size_t width = Shape::config.d_model, least = round_up(width / 12, 16);
  if (o.how == "whole") return run<Shape, adamw, model_of<Shape>, Precision...>(o, ids);
  if (o.how == "galore") return run<Shape, galore<adamw, width / 4>, model_of<Shape>, Precision...>(o, ids);
  if (o.how == "stabilised") return run<Shape, stabilised<adamw>, model_of<Shape>, Precision...>(o, ids);
  if (o.rank == least) return run_rank<Shape, least, Precision...>(o, ids);
  if (o.rank == 2 * least) return run_rank<Shape, 2 * least, Precision...>(o, ids);
  if (o.rank == 4 * least) return run_rank<Shape, 4 * least, Precision...>(o, ids);
  usage("there is no " + o.how + " of rank " + std::to_string(o.rank) +
        ": HOW is whole, galore, stabilised, or has a rank: factored, large, progressive, dynamic; ranks are 16, 32 "
        "and 64 of nano; 32, 64 and 128 of gpt_10m");
}

template <class Shape>
void run_shape(const options& o, const std::vector<token>& ids) {
  o.bf16 ? run_how<Shape, compute<bf16>>(o, ids) : run_how<Shape>(o, ids);
}

}  // namespace

int main(int count, char** arguments) {
  const options o = parse(count, arguments);
  if (o.what == "layer") {
    layer(o);
  } else if (o.what == "train") {
    const std::vector<token> ids = read_characters(o.text);
    if (o.shape != "nano" && o.shape != "gpt_10m") usage("shapes are nano and gpt_10m");
    o.shape == "nano" ? run_shape<nano>(o, ids) : run_shape<shapes::gpt_10m>(o, ids);
  } else {
    usage("layer or train?");
  }
}
