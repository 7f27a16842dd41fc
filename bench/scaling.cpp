// What more cores would bring, told from one or two: every task of a token or a training step is timed on one core, cut
// as for P workers, and given to P workers as the pool gives it. What one token waits for is added: the beginning and
// end of each run of tasks, work outside of tasks, and memory. Checked where it can be: with one and two workers.
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

/// What was measured of this machine.
struct machine {
  double read[2];    // bytes a second with one and two threads
  double fma[2];     // operations a second
  double run;        // seconds of a run of two workers that do nothing
  double add;        // seconds of an addition to a number that two threads add to
  double bandwidth;  // bytes a second of all cores, assumed

  /// How fast one of several workers is, beside one alone: two threads of one core share its units.
  double share(std::size_t workers) const { return workers == 1 ? 1 : fma[1] / (2 * fma[0]); }
  double reads(std::size_t workers) const {
    if (workers <= 2) return read[workers - 1];
    return std::min(std::max(bandwidth, read[1]), read[1] / 2 * static_cast<double>(workers));
  }
  /// Beginning and end of a run: every worker more is one more that counts down, and one more share to look into.
  double run_of(std::size_t workers) const {
    return workers == 1 ? 0 : run + 2 * add * static_cast<double>(workers - 2);
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

/// `bytes` of memory are read in the time that is recorded, `seconds` long on one core.
prediction predict(const recorder& seen, double seconds, double bytes, const machine& m) {
  const std::size_t workers = seen.workers();
  prediction p;
  double inside = 0;
  for (const auto& run : seen.runs)
    for (double s : run) inside += s;
  for (const auto& run : seen.runs) {
    double sum = 0;
    for (double s : run) sum += s;
    const bool alone = run.size() <= 1 || workers == 1;
    const double evenly = alone ? sum : sum / static_cast<double>(workers) / m.share(workers);
    const double done = alone ? sum : std::max(evenly, finish(run, workers) / m.share(workers));
    const double least = bytes * (sum / inside) / m.reads(workers);
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
  for (int i = 0; i < 3; ++i) {
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

/// A line of the table: what is predicted and measured for `units` tokens of `make(executor)`, which reads `bytes`.
template <class Made, class Real>
void line(const char* name, double units, double bytes, const machine& m, Made&& make, Real&& real) {
  std::printf("%-28s", name);
  double measured[2];
  for (std::size_t w : {1, 2}) {
    ctlm::pool<2> workers(w);
    auto work = real(workers);
    measured[w - 1] = bench::rates({{"", work, units}}, 0.3, 5)[0];
  }
  prediction at_32;
  for (std::size_t w : {1, 2, 4, 8, 32, 128}) {
    const prediction p = recorded(w, bytes, m, make);
    std::printf("%9.0f", units / p.all());
    if (w <= 2) std::printf(" (%.0f)", measured[w - 1]);
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

void training(const char* name, const machine& m) {
  auto make = [](auto& exec) {
    using T =
        ctlm::trainer<ctlm::causal_lm<shapes::gpt_10m, ctlm::threads<std::remove_reference_t<decltype(exec)>>>, recipe>;
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
  ctlm::pool<2> one(1), two(2);
  {
    const bench::read_memory memory;
    m.read[0] = bench::read_rate(one, memory), m.read[1] = bench::read_rate(two, memory);
  }
  m.fma[0] = bench::fma_rate(one), m.fma[1] = bench::fma_rate(two);
  m.run = 1 / bench::rates({{"", [&] { two.run(2, [](std::size_t, std::size_t) {}); }, 1}}, 0.1, 5)[0];
  std::atomic<std::uint64_t> number{0};
  constexpr int adds = 100'000;
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
      "1 / 2 threads read %.1f / %.1f GB/s and do %.0f / %.0f GFLOP/s; a run of two takes %.2f us, an addition to a\n"
      "number of two %.3f us; all cores are taken to read %.0f GB/s, and two more of them as much as these two\n\n",
      m.read[0] * 1e-9, m.read[1] * 1e-9, m.fma[0] * 1e-9, m.fma[1] * 1e-9, m.run * 1e6, m.add * 1e6, bandwidth);
  std::printf("%-28s%9s%9s%9s%9s%9s%9s   workers; (measured)\n", "tokens/s", "1", "2", "4", "8", "32", "128");
  decoding<ctlm::int8<32>>("135M int8<32>, decoding", m);
  decoding<ctlm::int4<32>>("135M int4<32>, decoding", m);
  prompt<ctlm::int8<32>>("135M int8<32>, prompt of 512", m);
  training("10.8M, training, B=8 T=256", m);
}
