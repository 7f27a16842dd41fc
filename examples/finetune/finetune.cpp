// Teaches a model from Hugging Face a text of yours, by an adapter (LoRA): ./dev finetune builds and runs it.
//   finetune TEXT --out FOLDER [--steps n] [--rate x] [--resume]
// The model stays as it is, in the format that ./dev finetune was told; what learns are thin matrices beside all
// projections of its layers. FOLDER gets them as PEFT writes an adapter, and training.ctlm, with which --resume goes
// on. Ctrl-C ends the run after the step under way, and everything is written all the same.
#include <ctlm/ctlm.hpp>
#include <ctlm/io/load_adapter.hpp>
#include <ctlm/io/save_adapter.hpp>
#include <ctlm/text/load_tokenizer.hpp>
#include <ctlm/train/adapters.hpp>

#include <example_model.hpp>  // made by ctlm_add_model

#include "../demo/interrupt.hpp"
#include "../program.hpp"

#include <charconv>
#include <chrono>
#include <exception>

namespace {

using examples::fail;
using exec = ctlm::pool<16>;
using lm = ctlm::causal_lm<example_model, ctlm::weights<CTLM_EXAMPLE_WEIGHTS>, ctlm::threads<exec>>;

/// Four sequences of 256 tokens in a step.
struct recipe {
  static constexpr ctlm::train_config config{.batch = 4,
                                             .sequence = ctlm::smaller(std::size_t{256}, lm::shape.context)};
};
constexpr std::size_t rank = CTLM_EXAMPLE_RANK;
struct adapter_options {
  static constexpr ctlm::lora_config config{.alpha = 2 * rank};
};
using adapter = ctlm::lora<rank, ctlm::tensors::projections, adapter_options>;
template <std::size_t again>
using trainer_computing =
    ctlm::trainer<lm, recipe, ctlm::train_only<adapter>, ctlm::recompute<again>, ctlm::schedule<ctlm::warmup_cosine>>;

/// Layers whose activations are computed again in the backward pass: all but those that find room in a fifth more bytes
/// than that takes.
constexpr std::size_t layers_again() {
  constexpr std::size_t all = lm::shape.layers, least = trainer_computing<all>::train_bytes;
  constexpr std::size_t layer = trainer_computing<all - 1>::train_bytes - least;
  constexpr std::size_t kept = layer == 0 ? 0 : (lm::weight_bytes + least) / 5 / layer;
  return all - ctlm::smaller(kept, all);
}
using trainer = trainer_computing<layers_again()>;

struct choice {
  std::string text, out;
  std::size_t steps = 200;
  float rate = 2e-4f;
  bool resume = false;
};

choice read_choice(int argc, char** argv) {
  choice c;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--out") {
      c.out = examples::value_of(argc, argv, i);
    } else if (option == "--steps") {
      c.steps = examples::number_of(argc, argv, i, "steps");
    } else if (option == "--rate") {
      const std::string value = examples::value_of(argc, argv, i);
      const auto read = std::from_chars(value.data(), value.data() + value.size(), c.rate);
      if (read.ec != std::errc() || read.ptr != value.data() + value.size() || !(c.rate > 0 && c.rate < 1))
        fail("--rate needs a number above 0 and below 1, such as 2e-4, not \"" + value + "\"");
    } else if (option == "--resume") {
      c.resume = true;
    } else if (option.rfind("--", 0) == 0 || !c.text.empty()) {
      fail("usage: finetune TEXT --out FOLDER [--steps n] [--rate x] [--resume]");
    } else {
      c.text = option;
    }
  }
  if (c.text.empty()) fail("the name of a text file is needed");
  if (c.out.empty()) fail("--out FOLDER is needed, such as --out my-adapter");
  return c;
}

/// The tokens of a text file.
std::vector<ctlm::token> tokens_of(const std::string& path) {
  const auto text = ctlm::read_file(path.c_str());
  if (!text) fail(path.c_str(), text.error());
  const auto tokenizer = ctlm::load_tokenizer(example_model::files);
  if (!tokenizer) fail(example_model::files, tokenizer.error());
  std::vector<ctlm::token> tokens = tokenizer->encode(*text);
  if (tokens.size() <= trainer::sequence)
    fail(path + " has " + std::to_string(tokens.size()) + " tokens, more than " + std::to_string(trainer::sequence) +
         " are needed");
  return tokens;
}

/// The sequences of one step, drawn from anywhere in the text: the same for the same step of any run.
struct batch {
  std::vector<ctlm::token> inputs, targets;
  batch(ctlm::span<const ctlm::token> text, std::uint64_t step) {
    ctlm::rng random{ctlm::mix(1, step)};
    for (std::size_t r = 0; r < trainer::batch; ++r) {
      const std::size_t first = random.below(text.size() - trainer::sequence);
      for (std::size_t i = 0; i < trainer::sequence; ++i) {
        inputs.push_back(text[first + i]);
        targets.push_back(text[first + i + 1]);
      }
    }
  }
};

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

void keep(trainer& t, const choice& c) {
  const auto saved = ctlm::save_adapter<lm>(c.out.c_str(), t.adapted());
  if (!saved) fail(c.out.c_str(), saved.error());
  const std::string run = c.out + "/training.ctlm";
  if (const auto r = ctlm::save_checkpoint(run.c_str(), t); !r) fail(run.c_str(), r.error());
}

int train(trainer& t, ctlm::span<const ctlm::token> text, const choice& c) {
  using clock = std::chrono::steady_clock;
  const demo::interrupt stop;
  const auto begin = clock::now();
  const std::size_t first = t.steps();
  while (t.steps() < c.steps && !stop) {
    const batch b(text, t.steps());
    const ctlm::step_result r = t.step(b.inputs, b.targets);
    const double seconds = std::chrono::duration<double>(clock::now() - begin).count();
    const double rate = static_cast<double>((t.steps() - first) * trainer::step_tokens) / seconds;
    std::printf("step %zu of %zu  loss %.4f  %.0f tokens/s%s\n", t.steps(), c.steps, static_cast<double>(r.loss), rate,
                r.skipped ? "  (not finite: skipped)" : "");
    std::fflush(stdout);
    if (t.steps() % 100 == 0) keep(t, c);
  }
  keep(t, c);
  std::printf("%s: %s after step %zu\n", c.out.c_str(), stop ? "stopped, and kept," : "kept", t.steps());
  return stop ? stop.exit_status() : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  examples::program = "finetune";
  const choice c = read_choice(argc, argv);
  std::printf("weights %.1f MB, as they are; trainer %.1f MB, of it %.1f MB the optimizer's state of %zu numbers\n",
              megabytes(lm::weight_bytes), megabytes(trainer::train_bytes), megabytes(trainer::state_bytes),
              ctlm::learned_of<lm::shape_type, ctlm::chosen_tensors<adapter>>.parameters());
  std::fflush(stdout);
  const std::vector<ctlm::token> text = tokens_of(c.text);
  exec workers;
  ctlm::heap_arena weight_memory(lm::weight_bytes);
  lm::weights weights(weight_memory);
  ctlm::tensor_report report;
  const auto loaded = ctlm::load_weights<lm>(example_model::files, weights, workers, &report);
  std::fputs(report.text.c_str(), stderr);
  if (!loaded) fail(example_model::files, loaded.error());
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer::options options;
  options.optimizer.lr = c.rate;
  options.optimizer.weight_decay = 0;
  options.schedule.warmup = ctlm::smaller(std::size_t{20}, c.steps / 10);
  options.schedule.total = c.steps;
  trainer t(weights, memory, options, workers);
  if (c.resume) {
    const std::string run = c.out + "/training.ctlm";
    if (const auto r = ctlm::load_checkpoint(run.c_str(), t); !r) fail(run.c_str(), r.error());
    std::printf("going on after step %zu\n", t.steps());
  }
  return train(t, text, c);
} catch (const std::exception& e) {
  examples::fail(e.what());
}
