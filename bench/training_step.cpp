// A training step of a named shape: the peer of bench/training_step.py.
//
//   training_step SHAPE [--threads 2] [--steps 8] [--bf16 [--activations]] [--json]
//
// SHAPE: gpt_10m, gpt_10m_recompute, gpt_10m_adam8, gpt_10m_stabilised (the gradient stabiliser around AdamW, as
// published), gpt_10m_galore (GaLore with rank 96, a quarter of the width), gpt2_124m, gpt2_124m_adam8, llama_135m,
// llama_135m_adam8. Random tokens, GPT-2 with biases, tied head and tanh GELU, or a Llama; AdamW, clipping at 1;
// --bf16: compute<bf16>; --activations: activations<bf16>. Reported are the median step after two of warming up,
// train_bytes, and the peak of resident memory.
#include "measure.hpp"
#include "shapes.hpp"

#include <ctlm/policy/optimizer/galore.hpp>
#include <ctlm/policy/optimizer/stabilised.hpp>

#include <sys/resource.h>

#include <cstdlib>
#include <cstring>

namespace {

struct options {
  std::string shape;
  std::size_t threads = 2;
  int steps = 8;
  bool bf16 = false, activations = false, json = false;
};

template <class Tag>
struct recipe_of {
  static constexpr ctlm::train_config config = Tag::recipe;
};

template <class Tag, class... Slots>
void measure(const options& o) {
  using workers = ctlm::pool<64>;
  using trainer = ctlm::trainer<ctlm::causal_lm<Tag, ctlm::threads<workers>>, recipe_of<Tag>, Slots...>;
  std::vector<ctlm::token> inputs(trainer::step_tokens), targets(trainer::step_tokens);
  ctlm::rng random{1};
  for (auto* v : {&inputs, &targets})
    for (auto& t : *v) t = static_cast<ctlm::token>(random.below(trainer::shape.vocab));
  workers exec(o.threads);
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(memory, {}, exec);
  std::vector<double> times;
  for (int i = 0; i < o.steps + 2; ++i) {
    const double start = bench::now();
    t.step(inputs, targets);
    if (i >= 2) times.push_back(bench::now() - start);
  }
  const double seconds = bench::median(times);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      o.json ? "{\"library\": \"ctlm%s\", \"shape\": \"%s\", \"threads\": %zu, \"tokens_per_second\": %.6g, "
               "\"step_seconds\": %.6g, \"train_mib\": %.6g, \"peak_memory_mib\": %.6g}\n"
             : "library            ctlm%s\nshape              %s\nthreads            %zu\n"
               "tokens_per_second  %.6g\nstep_seconds       %.6g\ntrain_mib          %.6g\npeak_memory_mib    %.6g\n",
      o.activations ? " bf16 activations"
      : o.bf16      ? " bf16"
                    : "",
      o.shape.c_str(), o.threads, static_cast<double>(trainer::step_tokens) / seconds, seconds,
      static_cast<double>(trainer::train_bytes) / (1 << 20), static_cast<double>(usage.ru_maxrss) / 1024);
}

/// The same in single precision, with products in 16 bits, or with activations in 16 bits too.
template <class Tag, class... Slots>
int measure_either(const options& o) {
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
    else if (!std::strcmp(argv[i], "--activations"))
      o.activations = true;
    else if (!std::strcmp(argv[i], "--threads") && i + 1 < argc)
      o.threads = static_cast<std::size_t>(std::atoi(argv[++i]));
    else if (!std::strcmp(argv[i], "--steps") && i + 1 < argc)
      o.steps = std::atoi(argv[++i]);
    else
      o.shape = argv[i];
  }
  if (o.threads > 0 && o.steps > 0 && (o.bf16 || !o.activations)) {
    if (o.shape == "gpt_10m") return measure_either<shapes::gpt_10m>(o);
    if (o.shape == "gpt_10m_recompute") return measure_either<shapes::gpt_10m, ctlm::recompute<5>>(o);
    if (o.shape == "gpt_10m_adam8") return measure_either<shapes::gpt_10m, ctlm::optimizer<ctlm::adam8>>(o);
    if (o.shape == "gpt_10m_stabilised")
      return measure_either<shapes::gpt_10m, ctlm::optimizer<ctlm::stabilised<ctlm::adamw>>>(o);
    if (o.shape == "gpt_10m_galore")
      return measure_either<shapes::gpt_10m, ctlm::optimizer<ctlm::galore<ctlm::adamw, 96>>>(o);
    if (o.shape == "gpt2_124m") return measure_either<shapes::gpt2_124m>(o);
    if (o.shape == "gpt2_124m_adam8") return measure_either<shapes::gpt2_124m, ctlm::optimizer<ctlm::adam8>>(o);
    // All weights of the shape of SmolLM2 135M, every layer computed again.
    if (o.shape == "llama_135m") return measure_either<shapes::llama_135m, ctlm::recompute<30>>(o);
    if (o.shape == "llama_135m_adam8")
      return measure_either<shapes::llama_135m, ctlm::recompute<30>, ctlm::optimizer<ctlm::adam8>>(o);
  }
  return std::fprintf(stderr,
                      "usage: training_step gpt_10m|gpt_10m_recompute|gpt_10m_adam8|gpt_10m_stabilised|gpt_10m_galore|"
                      "gpt2_124m|gpt2_124m_adam8|llama_135m|llama_135m_adam8 [--threads 2] [--steps 8] "
                      "[--bf16 [--activations]] [--json]\n"),
         2;
}
