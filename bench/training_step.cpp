// A training step of a named shape: the peer of bench/training_step.py.
//
//   training_step SHAPE [--threads 2] [--steps 8] [--bf16|--f16 [--activations]] [--text FILE [--seed 1]] [--json]
//
// SHAPE: gpt_10m, gpt_10m_recompute, gpt_10m_adam8, gpt_10m_stabilised (the gradient stabiliser around AdamW, as
// published), gpt_10m_galore (GaLore with rank 96, a quarter of the width), gpt2_124m, gpt2_124m_adam8, llama_135m,
// llama_135m_adam8. Random tokens, GPT-2 with biases, tied head and tanh GELU, or a Llama; AdamW, clipping at 1;
// --bf16: compute<bf16>; --f16: compute<f16>, of gpt_10m and gpt2_124m; --activations: activations<bf16> or
// activations<f16>. --text trains on windows of a text instead of random tokens. Reported are the median step after two
// of warming up, train_bytes, the mean loss of the last tenth of the steps, and the peak of resident memory.
#include "measure.hpp"
#include "shapes.hpp"

#include <ctlm/policy/optimizer/galore.hpp>
#include <ctlm/policy/optimizer/stabilised.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

namespace {

struct options {
  std::string shape, text;
  std::size_t threads = 2;
  int steps = 8;
  std::uint64_t seed = 1;  // of weights, and of the windows of a text
  bool bf16 = false, f16 = false, activations = false, json = false;
};

template <class Tag>
struct recipe_of {
  static constexpr ctlm::train_config config = Tag::recipe;
};

/// Draws windows of a text, of which every distinct byte is a token; without a text, random tokens, the same each time.
class tokens_of {
 public:
  tokens_of(const options& o, std::size_t vocab, std::size_t sequence)
      : vocab_(vocab), sequence_(sequence), random_{o.seed} {
    if (o.text.empty()) return;
    std::ifstream file(o.text, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::set<char> letters(text.begin(), text.end());
    if (letters.size() > vocab || text.size() <= sequence)
      std::exit((std::fprintf(stderr,
                              "training_step: %s has %zu bytes, %zu of them distinct; more than %zu, and at most %zu, "
                              "are needed\n",
                              o.text.c_str(), text.size(), letters.size(), sequence, vocab),
                 1));
    for (char c : text) text_.push_back(static_cast<ctlm::token>(std::distance(letters.begin(), letters.find(c))));
  }

  /// Fills both with whole sequences.
  void draw(std::vector<ctlm::token>& inputs, std::vector<ctlm::token>& targets) {
    if (text_.empty() && drawn_) return;
    drawn_ = true;
    if (text_.empty())
      for (auto* v : {&inputs, &targets})
        for (auto& t : *v) t = static_cast<ctlm::token>(random_.below(vocab_));
    else
      for (std::size_t i = 0; i < inputs.size(); i += sequence_) {
        const auto from = text_.begin() + static_cast<std::ptrdiff_t>(random_.below(text_.size() - sequence_));
        std::copy_n(from, sequence_, inputs.begin() + static_cast<std::ptrdiff_t>(i));
        std::copy_n(from + 1, sequence_, targets.begin() + static_cast<std::ptrdiff_t>(i));
      }
  }

 private:
  std::size_t vocab_, sequence_;
  bool drawn_ = false;
  std::vector<ctlm::token> text_;
  ctlm::rng random_;
};

template <class Tag, class... Slots>
void measure(const options& o) {
  using workers = ctlm::pool<64>;
  using trainer = ctlm::trainer<ctlm::causal_lm<Tag, ctlm::threads<workers>>, recipe_of<Tag>, Slots...>;
  std::vector<ctlm::token> inputs(trainer::step_tokens), targets(trainer::step_tokens);
  tokens_of tokens(o, trainer::shape.vocab, trainer::step_tokens / Tag::recipe.batch);
  workers exec(o.threads);
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(memory, {.seed = o.seed}, exec);
  std::vector<double> times;
  double loss = 0;  // mean of the last tenth of the steps
  const int last = (o.steps + 9) / 10;
  for (int i = 0; i < o.steps + 2; ++i) {
    tokens.draw(inputs, targets);
    const double start = bench::now();
    const auto done = t.step(inputs, targets);
    if (i >= 2) times.push_back(bench::now() - start);
    if (i >= o.steps + 2 - last) loss += static_cast<double>(done.loss) / last;
  }
  const double seconds = bench::median(times);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(o.json ? "{\"library\": \"ctlm%s\", \"shape\": \"%s\", \"threads\": %zu, \"tokens_per_second\": %.6g, "
                       "\"step_seconds\": %.6g, \"train_mib\": %.6g, \"loss\": %.6g, \"peak_memory_mib\": %.6g}\n"
                     : "library            ctlm%s\nshape              %s\nthreads            %zu\n"
                       "tokens_per_second  %.6g\nstep_seconds       %.6g\ntrain_mib          %.6g\nloss               "
                       "%.6g\npeak_memory_mib    %.6g\n",
              o.f16           ? o.activations ? " f16 activations" : " f16"
              : o.activations ? " bf16 activations"
              : o.bf16        ? " bf16"
                              : "",
              o.shape.c_str(), o.threads, static_cast<double>(trainer::step_tokens) / seconds, seconds,
              static_cast<double>(trainer::train_bytes) / (1 << 20), loss, static_cast<double>(usage.ru_maxrss) / 1024);
}

/// The same in single precision, with products in 16 bits, or with activations in 16 bits too.
template <class Tag, class... Slots>
int measure_either(const options& o) {
  if constexpr (sizeof...(Slots) == 0) {
    if (o.f16 && o.activations) return measure<Tag, ctlm::compute<ctlm::f16>, ctlm::activations<ctlm::f16>>(o), 0;
    if (o.f16) return measure<Tag, ctlm::compute<ctlm::f16>>(o), 0;
  }
  if (o.activations)
    measure<Tag, ctlm::compute<ctlm::bf16>, ctlm::activations<ctlm::bf16>, Slots...>(o);
  else if (o.bf16)
    measure<Tag, ctlm::compute<ctlm::bf16>, Slots...>(o);
  else
    measure<Tag, Slots...>(o);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--json"))
      o.json = true;
    else if (!std::strcmp(argv[i], "--bf16"))
      o.bf16 = true;
    else if (!std::strcmp(argv[i], "--f16"))
      o.f16 = true;
    else if (!std::strcmp(argv[i], "--activations"))
      o.activations = true;
    else if (!std::strcmp(argv[i], "--threads") && i + 1 < argc)
      o.threads = static_cast<std::size_t>(std::atoi(argv[++i]));
    else if (!std::strcmp(argv[i], "--text") && i + 1 < argc)
      o.text = argv[++i];
    else if (!std::strcmp(argv[i], "--seed") && i + 1 < argc)
      o.seed = std::strtoull(argv[++i], nullptr, 10);
    else if (!std::strcmp(argv[i], "--steps") && i + 1 < argc)
      o.steps = std::atoi(argv[++i]);
    else
      o.shape = argv[i];
  }
  if (o.threads > 0 && o.steps > 0 && (o.bf16 || o.f16 || !o.activations) && !(o.bf16 && o.f16)) {
    if (o.shape == "gpt_10m") return measure_either<shapes::gpt_10m>(o);
    if (o.shape == "gpt2_124m") return measure_either<shapes::gpt2_124m>(o);
    if (o.f16) return std::fprintf(stderr, "training_step: --f16 is for gpt_10m and gpt2_124m\n"), 2;
    if (o.shape == "gpt_10m_recompute") return measure_either<shapes::gpt_10m, ctlm::recompute<5>>(o);
    if (o.shape == "gpt_10m_adam8") return measure_either<shapes::gpt_10m, ctlm::optimizer<ctlm::adam8>>(o);
    if (o.shape == "gpt_10m_stabilised")
      return measure_either<shapes::gpt_10m, ctlm::optimizer<ctlm::stabilised<ctlm::adamw>>>(o);
    if (o.shape == "gpt_10m_galore")
      return measure_either<shapes::gpt_10m, ctlm::optimizer<ctlm::galore<ctlm::adamw, 96>>>(o);
    if (o.shape == "gpt2_124m_adam8") return measure_either<shapes::gpt2_124m, ctlm::optimizer<ctlm::adam8>>(o);
    // All weights of the shape of SmolLM2 135M, every layer computed again.
    if (o.shape == "llama_135m") return measure_either<shapes::llama_135m, ctlm::recompute<30>>(o);
    if (o.shape == "llama_135m_adam8")
      return measure_either<shapes::llama_135m, ctlm::recompute<30>, ctlm::optimizer<ctlm::adam8>>(o);
  }
  return std::fprintf(stderr,
                      "usage: training_step gpt_10m|gpt_10m_recompute|gpt_10m_adam8|gpt_10m_stabilised|gpt_10m_galore|"
                      "gpt2_124m|gpt2_124m_adam8|llama_135m|llama_135m_adam8 [--threads 2] [--steps 8] "
                      "[--bf16|--f16 [--activations]] [--text FILE [--seed 1]] [--json]\n"),
         2;
}
