// nanoGPT's CPU recipe on tinyshakespeare: 4 layers, 4 heads, width 128, context 64, batch 12, 2000 iterations, dropout
// 0, no biases. The peer is bench/nanogpt_cpu.py; bench/versus_torch.py runs the two in turn.
//
//   nanogpt_cpu tinyshakespeare.txt [--threads 2] [--iterations 2000] [--seed 1337] [--json]
//
// The time is that of training alone; the validation loss is the mean over the whole last tenth of the text, cut into
// windows of 64.
#include <ctlm/ctlm.hpp>

#include <sys/resource.h>

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

struct baby_gpt {
  static constexpr gpt2_config config{
      .vocab = 65, .d_model = 128, .layers = 4, .heads = 4, .context = 64, .bias = false};
};
struct recipe {
  static constexpr train_config config{.batch = 12};
};
using model = causal_lm<baby_gpt, activation<gelu>, threads<pool<16>>>;
using trainer_type = trainer<model, recipe, optimizer<adamw>, schedule<warmup_cosine>>;

struct options {
  const char* data = nullptr;
  std::size_t threads = 2, iterations = 2000, total = 2000;
  std::uint64_t seed = 1337;
  bool json = false;
};

[[noreturn]] void usage(const char* wrong) {
  std::fprintf(
      stderr,
      "nanogpt_cpu: %s\nusage: nanogpt_cpu TEXT [--threads N] [--iterations N] [--total N] [--seed N] [--json]\n",
      wrong);
  std::exit(2);
}

options parse(int count, char** arguments) {
  options o;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    auto number = [&] {
      if (++i == count) usage((name + " needs a number").c_str());
      char* end = nullptr;
      const auto n = std::strtoull(arguments[i], &end, 10);
      if (*end != '\0' || end == arguments[i]) usage((name + " needs a number").c_str());
      return static_cast<std::size_t>(n);
    };
    if (name == "--threads")
      o.threads = number();
    else if (name == "--iterations")
      o.iterations = number();
    else if (name == "--total")
      o.total = number();
    else if (name == "--seed")
      o.seed = number();
    else if (name == "--json")
      o.json = true;
    else if (name[0] == '-' || o.data != nullptr)
      usage(("what is " + name + "?").c_str());
    else
      o.data = arguments[i];
  }
  if (o.data == nullptr) usage("which text?");
  return o;
}

/// The text as ids of its characters, in order of their codes.
std::vector<token> read_characters(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::set<char> alphabet(text.begin(), text.end());
  if (alphabet.size() != baby_gpt::config.vocab)
    usage("this text does not have the 65 different characters of tinyshakespeare");
  token id_of[256]{};
  token next = 0;
  for (char c : alphabet) id_of[static_cast<unsigned char>(c)] = next++;
  std::vector<token> ids;
  for (char c : text) ids.push_back(id_of[static_cast<unsigned char>(c)]);
  return ids;
}

struct micro_batch {
  std::vector<token> inputs = std::vector<token>(trainer_type::batch_tokens);
  std::vector<token> targets = std::vector<token>(trainer_type::batch_tokens);

  void row(std::size_t r, span<const token> text, std::size_t start) {
    const std::size_t n = trainer_type::sequence;
    std::copy_n(text.data() + start, n, inputs.data() + r * n);
    std::copy_n(text.data() + start + 1, n, targets.data() + r * n);
  }
};

/// Mean loss over the whole of `text` in windows of the context; rows without a window take no part.
double evaluate(trainer_type& t, span<const token> text) {
  constexpr std::size_t n = trainer_type::sequence, rows = trainer_type::batch;
  const std::size_t windows = (text.size() - 1) / n;
  micro_batch b;
  double total = 0;
  for (std::size_t first = 0; first < windows; first += rows) {
    const std::size_t used = smaller(rows, windows - first);
    std::fill(b.targets.begin(), b.targets.end(), ignore_token);
    for (std::size_t r = 0; r < used; ++r) b.row(r, text, (first + r) * n);
    total += t.evaluate(b.inputs, b.targets) * static_cast<double>(used);
  }
  return total / static_cast<double>(windows);
}

}  // namespace

int main(int count, char** arguments) {
  const options o = parse(count, arguments);
  const std::vector<token> ids = read_characters(o.data);
  const span<const token> text = ids;
  const std::size_t cut = text.size() * 9 / 10;
  const span<const token> train = text.first(cut), validation = text.subspan(cut);

  pool<16> workers(o.threads);
  heap_arena memory(trainer_type::train_bytes);
  trainer_type t(memory,
                 {.seed = o.seed,
                  .optimizer = {.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .weight_decay = 0.1f},
                  .schedule = {.warmup = 100, .total = o.total, .min_lr = 1e-4f},
                  .clip_norm = 1.0f},
                 workers);
  rng random{mix(o.seed, 1)};
  micro_batch b;
  std::vector<double> times(o.iterations);
  step_result last;
  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  for (double& ms : times) {
    const auto before = clock::now();
    for (std::size_t r = 0; r < trainer_type::batch; ++r)
      b.row(r, train, random.below(train.size() - trainer_type::sequence));
    last = t.step(b.inputs, b.targets);
    ms = std::chrono::duration<double, std::milli>(clock::now() - before).count();
  }
  const double seconds = std::chrono::duration<double>(clock::now() - start).count();
  std::sort(times.begin(), times.end());

  const double iterations = static_cast<double>(larger(1, o.iterations));
  const double validation_loss = evaluate(t, validation);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const char* format = o.json
                           ? "{\"library\": \"ctlm\", \"threads\": %zu, \"iterations\": %zu, \"train_seconds\": %.4f, "
                             "\"ms_per_iteration\": %.4f, \"median_ms\": %.4f, \"tokens_per_second\": %.0f, "
                             "\"train_loss\": %.4f, \"validation_loss\": %.4f, \"train_mib\": %.2f, "
                             "\"peak_memory_mib\": %.2f}\n"
                           : "library            ctlm\nthreads            %zu\niterations         %zu\n"
                             "train_seconds      %.4f\nms_per_iteration   %.4f\nmedian_ms          %.4f\n"
                             "tokens_per_second  %.0f\ntrain_loss         %.4f\nvalidation_loss    %.4f\n"
                             "train_mib          %.2f\npeak_memory_mib    %.2f\n";
  std::printf(format, workers.workers(), o.iterations, seconds, 1e3 * seconds / iterations,
              times.empty() ? 0.0 : times[times.size() / 2], iterations * trainer_type::batch_tokens / seconds,
              static_cast<double>(last.loss), validation_loss,
              static_cast<double>(trainer_type::train_bytes) / (1 << 20), static_cast<double>(used.ru_maxrss) / 1024);
}
