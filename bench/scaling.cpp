// What more cores would bring, told from those here: every task of a token or a training step is timed on one core, cut
// as for P workers, and given to P workers as the pool gives it. What one token waits for is added: the beginning and
// end of each run of tasks, work outside of tasks, and memory. Checked where it can be: with as many workers as there
// are cores here.
//
//   scaling [--bandwidth GB/s]
//
// --bandwidth: what all cores of the machine that is asked about can read from memory together; 200 unless you say so.
#include "limits.hpp"
#include "random_weights.hpp"
#include "shapes.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

namespace {

constexpr std::size_t most = 128;

/// An executor that does all tasks itself, cut as for `workers`, and writes down how long each takes.
class recorder {
 public:
  static constexpr std::size_t max_workers = most;
  using run_of_tasks = std::vector<double>;  // seconds of each

  explicit recorder(std::size_t workers) : workers_(workers) {}
  std::size_t workers() const { return workers_; }
  template <class F>
  void run(std::size_t tasks, F&& f) {
    if (depth_ > 0 || !recording) {  // tasks of tasks are their own worker's
      for (std::size_t t = 0; t < tasks; ++t) f(t, std::size_t{0});
      return;
    }
    ++depth_;
    run_of_tasks seconds(tasks);
    for (std::size_t t = 0; t < tasks; ++t) {
      const double begin = bench::now();
      f(t, std::size_t{0});
      seconds[t] = bench::now() - begin;
    }
    --depth_;
    runs.push_back(std::move(seconds));
  }

  bool recording = false;
  std::vector<run_of_tasks> runs;

 private:
  std::size_t workers_, depth_ = 0;
};
static_assert(ctlm::executor<recorder>);

/// What was measured of this machine, with each of these counts of workers that it has cores for.
struct machine {
  std::vector<std::size_t> workers;  // 1, 2, 4, ...
  std::vector<double> read;          // bytes a second
  std::vector<double> fma;           // operations a second
  std::vector<double> run;           // seconds of a run of tasks that do nothing
  double add;                        // seconds of an addition to a number that two threads add to
  double bandwidth;                  // bytes a second of all cores, assumed where there are more than here

  /// How fast one of several workers is, beside one alone: two threads of one core share its units, and many cores at
  /// work have a slower clock.
  double share(std::size_t n) const {
    const std::size_t i = measured(n);
    return fma[i] / (static_cast<double>(workers[i]) * fma[0]);
  }
  double reads(std::size_t n) const {
    const std::size_t i = measured(n);
    if (workers[i] == n) return read[i];
    return std::min(std::max(bandwidth, read[i]), read[i] / static_cast<double>(workers[i]) * static_cast<double>(n));
  }
  /// Beginning and end of a run: every worker more is one more that sees it, and one more to wait for.
  double run_of(std::size_t n) const {
    const std::size_t i = measured(n);
    return run[i] + 2 * add * static_cast<double>(n - workers[i]);
  }

 private:
  /// The largest count that was measured, of those up to n.
  std::size_t measured(std::size_t n) const {
    return static_cast<std::size_t>(std::upper_bound(workers.begin(), workers.end(), n) - workers.begin()) - 1;
  }
};

/// Seconds until the last of P workers has done its share, and what it takes from others' (policy/threads/pool.hpp).
double finish(const recorder::run_of_tasks& seconds, std::size_t workers) {
  const std::size_t tasks = seconds.size();
  auto first = [&](std::size_t w) { return ctlm::threads_detail::first_of_share(w, tasks, workers); };
  std::vector<std::size_t> next(workers);
  for (std::size_t w = 0; w < workers; ++w) next[w] = first(w);
  std::vector<double> at(workers);
  for (std::size_t left = tasks; left > 0; --left) {
    const auto w = static_cast<std::size_t>(std::min_element(at.begin(), at.end()) - at.begin());
    std::size_t from = w;
    while (next[from] >= first(from + 1)) from = (from + 1) % workers;
    at[w] += seconds[next[from]++];
  }
  return *std::max_element(at.begin(), at.end());
}

/// Where the time of one token or step goes.
struct prediction {
  double work = 0;     // of tasks, the slowest worker's, were all as long as their mean
  double uneven = 0;   // waiting for the slowest worker
  double memory = 0;   // waiting for memory
  double runs = 0;     // beginnings and ends of runs
  double outside = 0;  // what one core does alone
  double all() const { return work + uneven + memory + runs + outside; }
};

/// `bytes` are read in the time that is recorded, `seconds` long on one core. Where that core read faster than memory
/// can be read, its last cache holds them, and all workers read as much faster. Tasks that wait for what they read
/// are not slowed by other workers' arithmetic.
prediction predict(const recorder& seen, double seconds, double bytes, const machine& m) {
  const std::size_t workers = seen.workers();
  prediction p;
  double inside = 0;
  for (const auto& run : seen.runs)
    for (double s : run) inside += s;
  const double faster = std::max(1.0, bytes / inside / m.read[0]);
  const double share = bytes / inside > 0.8 * m.read[0] ? 1 : m.share(workers);
  for (const auto& run : seen.runs) {
    double sum = 0;
    for (double s : run) sum += s;
    const bool alone = run.size() <= 1 || workers == 1;
    const double evenly = alone ? sum : sum / static_cast<double>(workers) / share;
    const double done = alone ? sum : std::max(evenly, finish(run, workers) / share);
    const double least = bytes * (sum / inside) / (faster * m.reads(workers));
    p.work += evenly;
    p.uneven += done - evenly;
    p.memory += std::max(0.0, least - done);
    p.runs += alone ? 0 : m.run_of(workers);
  }
  p.outside = std::max(0.0, seconds - inside);
  return p;
}

/// The fastest of several recordings of work(), on `workers` workers that there are not.
template <class Make>
prediction recorded(std::size_t workers, double bytes, const machine& m, Make&& make) {
  recorder exec(workers);
  auto work = make(exec);
  work();
  prediction best;
  const double start = bench::now();
  for (int i = 0; i < 3 && (i == 0 || bench::now() - start < 1); ++i) {
    exec.runs.clear();
    exec.recording = true;
    const double begin = bench::now();
    work();
    const double seconds = bench::now() - begin;
    exec.recording = false;
    const prediction p = predict(exec, seconds, bytes, m);
    if (i == 0 || p.all() < best.all()) best = p;
  }
  return best;
}

/// Tokens a second of `workers` threads.
template <class Real>
double measured(std::size_t workers, double units, Real&& real) {
  ctlm::pool<most> pool(workers);
  auto work = real(pool);
  return bench::rates({{"", work, units}}, 0.2, 5)[0];
}

/// A line of the table: what is predicted and measured for `units` tokens of `make(executor)`, which reads `bytes`.
template <class Made, class Real>
void line(const char* name, double units, double bytes, const machine& m, Made&& make, Real&& real) {
  std::printf("%-28s", name);
  const std::size_t cores = std::max(2U, std::thread::hardware_concurrency());
  prediction at_32;
  for (std::size_t w : {1, 2, 4, 8, 16, 32, 128}) {
    const prediction p = recorded(w, bytes, m, make);
    std::printf("%9.0f", units / p.all());
    if (w <= cores) std::printf(" (%.0f)", measured(w, units, real));
    if (w == 32) at_32 = p;
    std::fflush(stdout);
  }
  std::printf("\n%-28sof 32 workers' time: work %.0f %%, uneven shares %.0f, memory %.0f, runs %.0f, outside %.0f\n",
              "", 100 * at_32.work / at_32.all(), 100 * at_32.uneven / at_32.all(), 100 * at_32.memory / at_32.all(),
              100 * at_32.runs / at_32.all(), 100 * at_32.outside / at_32.all());
}

template <class F, class Exec>
using decoder = ctlm::causal_lm<shapes::llama_135m, ctlm::weights<F>, ctlm::threads<Exec>, ctlm::prompt_chunk<128>>;

/// A session with random weights.
template <class M>
struct random_session {
  ctlm::heap_arena memory{M::weight_bytes + M::session_bytes};
  typename M::weights weights{memory};
  std::unique_ptr<typename M::session> session;
  explicit random_session(typename M::executor_policy& exec) {
    bench::fill_weights(weights);
    session = std::make_unique<typename M::session>(weights, memory, exec);
  }
};
template <class F, class Exec>
auto session_of(Exec& exec) {
  return std::make_shared<random_session<decoder<F, Exec>>>(exec);
}

/// A trainer with weights that are drawn.
template <class T>
struct new_trainer {
  ctlm::heap_arena memory{T::train_bytes};
  T trainer;
  explicit new_trainer(typename T::executor_type& exec) : trainer(memory, {}, exec) {}
};

template <class F>
void decoding(const char* name, const machine& m) {
  auto make = [](auto& exec) {
    return [s = session_of<F>(exec)] {
      s->session->reset();
      for (ctlm::token t = 0; t < 8; ++t) s->session->decode(t + 1);
    };
  };
  line(name, 8, 8.0 * static_cast<double>(decoder<F, ctlm::serial>::weight_bytes), m, make, make);
}

template <class F>
void prompt(const char* name, const machine& m) {
  auto make = [](auto& exec) {
    return [s = session_of<F>(exec), tokens = std::vector<ctlm::token>(512, 7)] {
      s->session->reset();
      s->session->prefill(tokens);
    };
  };
  line(name, 512, 4.0 * static_cast<double>(decoder<F, ctlm::serial>::weight_bytes), m, make, make);
}

struct recipe {
  static constexpr ctlm::train_config config = shapes::gpt_10m::recipe;
};

template <class... Slots>
void training(const char* name, const machine& m) {
  auto make = [](auto& exec) {
    using threaded = ctlm::causal_lm<shapes::gpt_10m, ctlm::threads<std::remove_reference_t<decltype(exec)>>>;
    using T = ctlm::trainer<threaded, recipe, Slots...>;
    std::vector<ctlm::token> tokens(T::step_tokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<ctlm::token>(ctlm::mix(i) % T::shape.vocab);
    return [s = std::make_shared<new_trainer<T>>(exec), tokens] { s->trainer.step(tokens, tokens); };
  };
  using T = ctlm::trainer<ctlm::causal_lm<shapes::gpt_10m>, recipe>;
  // Read at least: weights in both passes, gradients, and both with the optimizer's state in the update.
  line(name, static_cast<double>(T::step_tokens), 8.0 * static_cast<double>(T::model::weight_bytes), m, make, make);
}

machine measure(double bandwidth) {
  machine m{};
  m.bandwidth = bandwidth;
  for (std::size_t n = 1; n <= 2 || n <= std::thread::hardware_concurrency(); n *= 2) {
    ctlm::pool<most> pool(n);
    m.workers.push_back(n);
    m.read.push_back(bench::read_rate(pool, bench::read_memory()));
    m.fma.push_back(bench::fma_rate(pool));
    auto nothing = [&] { pool.run(n, [](std::size_t, std::size_t) {}); };
    m.run.push_back(n == 1 ? 0 : 1 / bench::rates({{"", nothing, 1}}, 0.1, 5)[0]);
    std::printf("%3zu workers read %6.1f GB/s, do %6.0f GFLOP/s, begin and end a run of tasks in %.2f us\n", n,
                m.read.back() * 1e-9, m.fma.back() * 1e-9, m.run.back() * 1e6);
  }
  std::atomic<std::uint64_t> number{0};
  constexpr int adds = 100'000;
  ctlm::pool<2> two(2);
  auto add = [&] {
    two.run(2, [&](std::size_t, std::size_t) {
      for (int i = 0; i < adds; ++i) number.fetch_add(1, std::memory_order_acq_rel);
    });
  };
  m.add = 1 / bench::rates({{"", add, 2.0 * adds}}, 0.1, 5)[0];
  return m;
}

}  // namespace

int main(int argc, char** argv) {
  double bandwidth = 200;
  if (argc == 3 && !std::strcmp(argv[1], "--bandwidth")) bandwidth = std::atof(argv[2]);
  if ((argc != 1 && argc != 3) || bandwidth <= 0) return std::fprintf(stderr, "usage: scaling [--bandwidth GB/s]\n"), 2;
  const machine m = measure(bandwidth * 1e9);
  std::printf(
      "an addition to a number of two takes %.3f us; more workers than here are taken to read up to %.0f GB/s\n\n",
      m.add * 1e6, bandwidth);
  std::printf("tokens/s, predicted (and measured), by workers: 1 2 4 8 16 32 128\n");
  decoding<ctlm::int8<32>>("135M int8<32>, decoding", m);
  decoding<ctlm::int4<32>>("135M int4<32>, decoding", m);
  prompt<ctlm::int8<32>>("135M int8<32>, prompt of 512", m);
  training<>("10.8M, training, B=8 T=256", m);
  training<ctlm::compute<ctlm::bf16>>("10.8M, training in bf16", m);
}
