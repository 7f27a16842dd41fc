// nanoGPT's CPU recipe on tinyshakespeare: 4 layers, 4 heads, width 128, context 64, batch 12, 2000 iterations, dropout
// 0; biases as in GPT-2, unless --no-bias; AdamW. The peer is bench/nanogpt_cpu.py; bench/versus_torch.py runs the two
// in turn. bench/optimizers.py runs the recipe with every optimizer.
//
//   nanogpt_cpu tinyshakespeare.txt [--threads 2] [--iterations 2000] [--seed 1337] [--no-bias] [--bf16|--f16
//   [--activations]] [--json]
//       [--optimizer adamw|adam8|muon|lion|adafactor|rmsprop|sgd|galore|galore8|stabilised] [--rate x]
//       [--scale x] [--period n] [--preset conservative|balanced|aggressive]
//
// Every optimizer has a rate of its own, unless --rate says another one; the schedule is the recipe's for all: it warms
// up for 100 iterations and falls to a tenth of the rate. GaLore's rank is 32, a quarter of the width, around AdamW or
// its 8-bit form (galore8); --scale and --period are its options. The stabiliser is around AdamW, with a published
// preset. --bf16 is compute<bf16> and --f16 compute<f16>, of AdamW; --activations is activations<bf16> or
// activations<f16> beside it.
//
// The time is that of training alone; the validation loss is the mean over the whole last tenth of the text, cut into
// windows of 64.
#include <ctlm/ctlm.hpp>
#include <ctlm/policy/optimizer/galore.hpp>
#include <ctlm/policy/optimizer/stabilised.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace ctlm;

template <bool Bias>
struct baby_gpt {
  static constexpr gpt2_config config{
      .vocab = 65, .d_model = 128, .layers = 4, .heads = 4, .context = 64, .bias = Bias};
};
struct recipe {
  static constexpr train_config config{.batch = 12};
};
using executor_type = pool<16>;
template <class Optimizer, bool Bias = true, class... Slots>
using trainer_of = trainer<causal_lm<baby_gpt<Bias>, activation<gelu>, threads<executor_type>>, recipe,
                           optimizer<Optimizer>, schedule<warmup_cosine>, Slots...>;

struct options {
  const char* data = nullptr;
  std::string optimizer = "adamw";
  float rate = 0;  // 0: the optimizer's own
  float scale = 0;
  std::size_t period = 0;
  std::string preset;
  std::size_t threads = 2, iterations = 2000, total = 2000;
  std::uint64_t seed = 1337;
  bool bias = true, bf16 = false, f16 = false, activations = false, json = false;
};

[[noreturn]] void usage(const char* wrong) {
  std::fprintf(stderr,
               "nanogpt_cpu: %s\nusage: nanogpt_cpu TEXT [--threads N] [--iterations N] [--total N] [--seed N] "
               "[--optimizer NAME] [--rate x] [--no-bias] [--bf16|--f16 [--activations]] [--json]\n",
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
    auto value = [&] {
      if (++i == count) usage((name + " needs a value").c_str());
      return arguments[i];
    };
    if (name == "--threads")
      o.threads = number();
    else if (name == "--optimizer")
      o.optimizer = value();
    else if (name == "--rate")
      o.rate = std::strtof(value(), nullptr);
    else if (name == "--scale")
      o.scale = std::strtof(value(), nullptr);
    else if (name == "--period")
      o.period = number();
    else if (name == "--preset")
      o.preset = value();
    else if (name == "--iterations")
      o.iterations = number();
    else if (name == "--total")
      o.total = number();
    else if (name == "--seed")
      o.seed = number();
    else if (name == "--no-bias")
      o.bias = false;
    else if (name == "--bf16")
      o.bf16 = true;
    else if (name == "--f16")
      o.f16 = true;
    else if (name == "--activations")
      o.activations = true;
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
  if (alphabet.size() != baby_gpt<false>::config.vocab)
    usage("this text does not have the 65 different characters of tinyshakespeare");
  token id_of[256]{};
  token next = 0;
  for (char c : alphabet) id_of[static_cast<unsigned char>(c)] = next++;
  std::vector<token> ids;
  for (char c : text) ids.push_back(id_of[static_cast<unsigned char>(c)]);
  return ids;
}

template <class Trainer>
struct micro_batch {
  std::vector<token> inputs = std::vector<token>(Trainer::batch_tokens);
  std::vector<token> targets = std::vector<token>(Trainer::batch_tokens);

  void row(std::size_t r, span<const token> text, std::size_t start) {
    const std::size_t n = Trainer::sequence;
    std::copy_n(text.data() + start, n, inputs.data() + r * n);
    std::copy_n(text.data() + start + 1, n, targets.data() + r * n);
  }
};

struct figures {
  std::size_t threads = 0, iterations = 0;
  double seconds = 0, median_ms = 0, tokens_per_second = 0, train_loss = 0, validation_loss = 0, train_mib = 0,
         rate = 0, state_bytes = 0;
};

/// Trains on random windows of the text; the time counts making the batches, as it does in the peer.
template <class Trainer>
figures train(Trainer& t, span<const token> text, const options& o) {
  rng random{mix(o.seed, 1)};
  micro_batch<Trainer> b;
  std::vector<double> times(o.iterations);
  step_result last;
  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  for (double& ms : times) {
    const auto before = clock::now();
    for (std::size_t r = 0; r < Trainer::batch; ++r) b.row(r, text, random.below(text.size() - Trainer::sequence));
    last = t.step(b.inputs, b.targets);
    ms = std::chrono::duration<double, std::milli>(clock::now() - before).count();
  }
  figures f{.iterations = o.iterations, .train_loss = static_cast<double>(last.loss)};
  f.seconds = std::chrono::duration<double>(clock::now() - start).count();
  f.tokens_per_second = static_cast<double>(o.iterations * Trainer::step_tokens) / f.seconds;
  std::sort(times.begin(), times.end());
  if (!times.empty()) f.median_ms = times[times.size() / 2];
  return f;
}

/// Mean loss over the whole of `text` in windows of the context; rows without a window take no part.
template <class Trainer>
double evaluate(Trainer& t, span<const token> text) {
  constexpr std::size_t n = Trainer::sequence, rows = Trainer::batch;
  const std::size_t windows = (text.size() - 1) / n;
  micro_batch<Trainer> b;
  double total = 0;
  for (std::size_t first = 0; first < windows; first += rows) {
    const std::size_t used = smaller(rows, windows - first);
    std::fill(b.targets.begin(), b.targets.end(), ignore_token);
    for (std::size_t r = 0; r < used; ++r) b.row(r, text, (first + r) * n);
    total += t.evaluate(b.inputs, b.targets) * static_cast<double>(used);
  }
  return total / static_cast<double>(windows);
}

// Each optimizer's options: AdamW's are the recipe's.
constexpr adamw::options recipe_adamw{.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .weight_decay = 0.1f};
template <class Optimizer>
constexpr typename Optimizer::options options_of{.lr = 1e-3f};
template <>
constexpr adamw::options options_of<adamw> = recipe_adamw;
template <>
constexpr adam8::options options_of<adam8>{
    .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .weight_decay = 0.1f};
template <>
constexpr muon::options options_of<muon>{.lr = 2e-2f, .weight_decay = 0.1f, .others = recipe_adamw};
template <>
constexpr lion::options options_of<lion>{.lr = 3e-4f, .weight_decay = 0.3f};
template <>
constexpr adafactor::options options_of<adafactor>{.lr = 3e-2f};
template <>
constexpr rmsprop::options options_of<rmsprop>{.lr = 3e-3f};
template <>
constexpr sgd::options options_of<sgd>{.lr = 1e-1f, .momentum = 0.9f};
using galore32 = galore<adamw, 32>;
using galore32_adam8 = galore<adam8, 32>;
using stable = stabilised<adamw>;
template <>
constexpr galore32::options options_of<galore32>{.lr = 1e-3f, .scale = 2, .inner = recipe_adamw};
template <>
constexpr galore32_adam8::options options_of<galore32_adam8>{.lr = 1e-3f, .scale = 2, .inner = recipe_adamw};
template <>
constexpr stable::options options_of<stable>{.lr = 1e-3f, .inner = recipe_adamw};

/// What the command line says of options that only some optimizers have.
template <class Options>
void refine(Options& settings, const options& o) {
  if constexpr (requires { settings.period; }) {
    if (o.period > 0) settings.period = o.period;
    if (o.scale > 0) settings.scale = o.scale;
  }
  if constexpr (requires { settings.rank_ratio; }) {
    const auto before = settings;
    if (o.preset == "conservative") settings = Options::conservative();
    if (o.preset == "balanced") settings = Options::balanced();
    if (o.preset == "aggressive") settings = Options::aggressive();
    settings.lr = before.lr;
    settings.inner = before.inner;
  }
}

template <class Optimizer, bool Bias = true, class... Slots>
figures run(span<const token> text, const options& o) {
  using trainer_type = trainer_of<Optimizer, Bias, Slots...>;
  executor_type workers(o.threads);
  heap_arena memory(trainer_type::train_bytes);
  typename trainer_type::options settings{
      .seed = o.seed,
      .optimizer = options_of<Optimizer>,
      .schedule = {.warmup = smaller(100, o.total), .total = o.total},
      .clip_norm = 1.0f,
  };
  if (o.rate > 0) settings.optimizer.lr = o.rate;
  refine(settings.optimizer, o);
  settings.schedule.min_lr = settings.optimizer.lr / 10;
  trainer_type t(memory, settings, workers);
  const std::size_t cut = text.size() * 9 / 10;
  figures f = train(t, text.first(cut), o);
  f.validation_loss = evaluate(t, text.subspan(cut));
  f.threads = workers.workers();
  f.train_mib = static_cast<double>(trainer_type::train_bytes) / (1 << 20);
  f.rate = static_cast<double>(settings.optimizer.lr);
  f.state_bytes = static_cast<double>(trainer_type::state_bytes);
  return f;
}

figures run_chosen(span<const token> text, const options& o) {
  if (!o.bias && o.optimizer != "adamw") usage("--no-bias is for AdamW");
  if ((o.bf16 || o.f16) && (!o.bias || o.optimizer != "adamw")) usage("--bf16 and --f16 are for AdamW, with biases");
  if (o.bf16 && o.f16) usage("--bf16 or --f16, not both");
  if (o.activations && !o.bf16 && !o.f16) usage("--activations is for --bf16 and --f16");
  if (o.f16 && o.activations) return run<adamw, true, compute<f16>, activations<f16>>(text, o);
  if (o.f16) return run<adamw, true, compute<f16>>(text, o);
  if (o.activations) return run<adamw, true, compute<bf16>, activations<bf16>>(text, o);
  if (o.bf16) return run<adamw, true, compute<bf16>>(text, o);
  if (!o.bias) return run<adamw, false>(text, o);
  if (o.optimizer == "adamw") return run<adamw>(text, o);
  if (o.optimizer == "adam8") return run<adam8>(text, o);
  if (o.optimizer == "muon") return run<muon>(text, o);
  if (o.optimizer == "lion") return run<lion>(text, o);
  if (o.optimizer == "adafactor") return run<adafactor>(text, o);
  if (o.optimizer == "rmsprop") return run<rmsprop>(text, o);
  if (o.optimizer == "sgd") return run<sgd>(text, o);
  if (o.optimizer == "galore") return run<galore32>(text, o);
  if (o.optimizer == "galore8") return run<galore32_adam8>(text, o);
  if (o.optimizer == "stabilised") return run<stable>(text, o);
  usage(("there is no optimizer " + o.optimizer).c_str());
}

void print(const figures& f, bool json) {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const std::pair<const char*, double> rows[] = {
      {"threads", static_cast<double>(f.threads)},
      {"iterations", static_cast<double>(f.iterations)},
      {"train_seconds", f.seconds},
      {"ms_per_iteration", 1e3 * f.seconds / static_cast<double>(larger(1, f.iterations))},
      {"median_ms", f.median_ms},
      {"tokens_per_second", f.tokens_per_second},
      {"train_loss", f.train_loss},
      {"validation_loss", f.validation_loss},
      {"rate", f.rate},
      {"state_bytes", f.state_bytes},
      {"train_mib", f.train_mib},
      {"peak_memory_mib", static_cast<double>(used.ru_maxrss) / 1024}};
  std::printf(json ? "{\"library\": \"ctlm\"" : "library            ctlm\n");
  for (const auto& [name, value] : rows) std::printf(json ? ", \"%s\": %.10g" : "%-18s %.6g\n", name, value);
  if (json) std::printf("}\n");
}

}  // namespace

int main(int count, char** arguments) {
  const options o = parse(count, arguments);
  const std::vector<token> ids = read_characters(o.data);
  print(run_chosen(ids, o), o.json);
}
