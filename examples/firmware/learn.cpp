// Training on a microcontroller: a small GPT learns a sentence in static memory, with the optimizer that trains the
// large ones. The weights are the same, to the bit, as those that a computer's portable build arrives at. With RANK
// defined, its projections are products of matrices of that rank, which takes less RAM.
#if __has_include(<ctlm/ctlm.hpp>)
#include <ctlm/ctlm.hpp>
#else
#include <ctlm.hpp>
#endif

#include "board/board.hpp"

struct gpt_nano {
  static constexpr ctlm::gpt2_config config{.vocab = 32, .d_model = 24, .layers = 2, .heads = 3, .context = 32};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
#ifdef RANK
using model = ctlm::causal_lm<gpt_nano, ctlm::backend<ctlm::portable>, ctlm::factored<RANK>>;
constexpr std::size_t ram = 300 * 1024, stack = 12 * 1024;
constexpr float rate = 3e-2f;
#else
using model = ctlm::causal_lm<gpt_nano, ctlm::backend<ctlm::portable>>;
constexpr std::size_t ram = 512 * 1024, stack = 8 * 1024;
constexpr float rate = 1e-2f;
#endif
using trainer = ctlm::trainer<model, recipe, ctlm::optimizer<ctlm::adamw>, ctlm::schedule<ctlm::warmup_cosine>>;
constexpr std::size_t steps = 20;
static_assert(trainer::train_bytes <= ram - stack, "training must fit the RAM beside the stack");

static constinit ctlm::static_arena<trainer::train_bytes> sram;
static constexpr char lesson[] = "the quick brown fox jumps over the lazy dog; the lazy dog sleeps on the warm stone. ";

/// Letters are 1 to 26; everything else is a space or a stop.
static ctlm::token token_of(char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 1 : c == ' ' ? 0 : 27; }

/// Millionths: a microcontroller's way to print a number with a point.
static std::uint64_t millionths(float x) { return static_cast<std::uint64_t>(static_cast<double>(x) * 1e6); }

void firmware() {
  trainer t(sram, {.optimizer = {.lr = rate}, .schedule = {.warmup = 2, .total = steps, .min_lr = 1e-3f}});
  ctlm::token inputs[trainer::step_tokens], targets[trainer::step_tokens];
  float first = 0, last = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < trainer::step_tokens; ++i) {
      const std::size_t at = (step * 7 + i / trainer::sequence * 20 + i % trainer::sequence) % (sizeof lesson - 2);
      inputs[i] = token_of(lesson[at]);
      targets[i] = token_of(lesson[at + 1]);
    }
    last = t.step({inputs, trainer::step_tokens}, {targets, trainer::step_tokens}).loss;
    if (step == 0) first = last;
    board::line("loss_millionths", millionths(last));
  }
  ctlm::checksum sum;
  sum.add(t.weights().bytes().data(), t.weights().bytes().size());
  board::line("weights_checksum", sum.value());
  board::line("train_bytes", trainer::train_bytes);
#ifdef RANK
  using whole = ctlm::trainer<model::whole_model, recipe, ctlm::optimizer<ctlm::adamw>>;
  static_assert(trainer::train_bytes < whole::train_bytes);
  board::line("whole_train_bytes", whole::train_bytes);
#endif
  board::line("stack_used", board::stack_used());
  board::line("stack_size", board::stack_size());
  if (!(last < first * 0.7f)) board::stop(1);
}
