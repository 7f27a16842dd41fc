// A training step of LoRA beside a frozen model, the shape of SmolLM2 135M: the peer of bench/adapter_step.py;
// bench/versus_peft.py runs the two in turn.
//
//   adapter_step f32|bf16|int8|int4 [--threads 2] [--steps 5] [--bf16] [--json]
//
// Random weights and tokens, four sequences of 256, adapters of rank 8 beside all projections, AdamW, clipping at 1,
// and as many layers computed again in the backward pass as ./dev finetune does; --bf16: compute<bf16>. Reported are
// the median step after one of warming up, the peak of resident memory, and the share of the machine's multiply-adds,
// measured in the same run.
#include "limits.hpp"
#include "measure.hpp"
#include "random_weights.hpp"
#include "shapes.hpp"

#include <ctlm/train/adapters.hpp>

#include <sys/resource.h>

#include <cstdlib>
#include <cstring>

namespace {

struct options {
  std::string format;
  std::size_t threads = 2;
  int steps = 5;
  bool bf16 = false, json = false;
};

struct recipe {
  static constexpr ctlm::train_config config{.batch = 4, .sequence = 256};
};
struct adapter_options {
  static constexpr ctlm::lora_config config{.alpha = 16};
};

/// Operations of matrix products for each token of a step: two for each number of a matrix, in the forward pass, in the
/// backward pass, and, but for the last projection, in layers that are computed again.
template <class M>
constexpr double operations(std::size_t again) {
  constexpr ctlm::decoder_shape s = M::shape;
  constexpr double down = static_cast<double>(s.d_model * s.d_ff),
                   layer = static_cast<double>(s.d_model * (s.qkv_dim() + s.q_dim() + s.up_dim())) + down,
                   head = static_cast<double>(s.d_model * s.vocab);
  return 2 * (static_cast<double>(s.layers) * 2 * layer + static_cast<double>(again) * (layer - down) + 2 * head);
}

using workers = ctlm::pool<64>;
using adapter = ctlm::lora<8, ctlm::tensors::projections, adapter_options>;
template <class F>
using model_of = ctlm::causal_lm<shapes::llama_135m, ctlm::weights<F>, ctlm::threads<workers>>;
template <class F, std::size_t again, class... Slots>
using trainer_of = ctlm::trainer<model_of<F>, recipe, ctlm::train_only<adapter>, ctlm::recompute<again>, Slots...>;

/// As in examples/finetune.
template <class F>
constexpr std::size_t layers_again() {
  constexpr std::size_t all = model_of<F>::shape.layers, least = trainer_of<F, all>::train_bytes;
  constexpr std::size_t layer = trainer_of<F, all - 1>::train_bytes - least;
  return all - ctlm::smaller((model_of<F>::weight_bytes + least) / 5 / layer, all);
}

template <class F, class... Slots>
void measure(const options& o) {
  using lm = model_of<F>;
  using trainer = trainer_of<F, layers_again<F>(), Slots...>;
  std::vector<ctlm::token> inputs(trainer::step_tokens), targets(trainer::step_tokens);
  ctlm::rng random{1};
  for (auto* v : {&inputs, &targets})
    for (auto& t : *v) t = static_cast<ctlm::token>(random.below(trainer::shape.vocab));
  workers exec(o.threads);
  ctlm::heap_arena weight_memory(lm::weight_bytes), memory(trainer::train_bytes);
  typename lm::weights weights(weight_memory);
  bench::fill_weights(weights);
  trainer t(weights, memory, {}, exec);
  std::vector<double> times;
  ctlm::step_result last;
  for (int i = 0; i < o.steps + 1; ++i) {
    const double start = bench::now();
    last = t.step(inputs, targets);
    if (i >= 1) times.push_back(bench::now() - start);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double rate = static_cast<double>(trainer::step_tokens) / bench::median(times);
  const double share = rate * operations<lm>(trainer::recomputed) / bench::fma_rate(exec);
  const std::pair<const char*, double> rows[] = {{"threads", static_cast<double>(o.threads)},
                                                 {"layers_again", static_cast<double>(trainer::recomputed)},
                                                 {"loss", static_cast<double>(last.loss)},
                                                 {"tokens_per_second", rate},
                                                 {"step_seconds", bench::median(times)},
                                                 {"share_of_limit", share},
                                                 {"peak_memory_mb", static_cast<double>(usage.ru_maxrss) * 1024e-6}};
  std::printf(o.json ? "{\"library\": \"ctlm %s%s\"" : "library            ctlm %s%s\n", o.format.c_str(),
              o.bf16 ? " in bf16" : "");
  for (const auto& [name, value] : rows)
    if (!o.bf16 || name != rows[5].first)  // the limit is that of single precision
      std::printf(o.json ? ", \"%s\": %.9g" : "%-18s %.9g\n", name, value);
  if (o.json) std::printf("}\n");
}

/// The same in single precision, or with products in 16 bits.
template <class F>
int measure_either(const options& o) {
  if (o.bf16)
    measure<F, ctlm::compute<ctlm::bf16>>(o);
  else
    measure<F>(o);
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
    else if (!std::strcmp(argv[i], "--threads") && i + 1 < argc)
      o.threads = static_cast<std::size_t>(std::atoi(argv[++i]));
    else if (!std::strcmp(argv[i], "--steps") && i + 1 < argc)
      o.steps = std::atoi(argv[++i]);
    else
      o.format = argv[i];
  }
  if (o.threads > 0 && o.steps > 0) {
    if (o.format == "f32") return measure_either<ctlm::f32>(o);
    if (o.format == "bf16") return measure_either<ctlm::bf16>(o);
    if (o.format == "int8") return measure_either<ctlm::int8<32>>(o);
    if (o.format == "int4") return measure_either<ctlm::int4<32>>(o);
  }
  return std::fprintf(stderr, "usage: adapter_step f32|bf16|int8|int4 [--threads 2] [--steps 5] [--bf16] [--json]\n"),
         2;
}
