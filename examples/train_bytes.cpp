// Training: sizes at compile time, hyper-parameters at run time, everything in one static arena.
#include <ctlm/ctlm.hpp>

#include <cstdio>
#include <string_view>

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 128, .d_model = 48, .layers = 2, .heads = 4, .context = 32};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 8};
};
using lm = ctlm::causal_lm<tiny>;
using trainer = ctlm::trainer<lm, recipe, ctlm::optimizer<ctlm::adamw>, ctlm::schedule<ctlm::warmup_cosine>>;
static_assert(trainer::train_bytes <= 4 * 1024 * 1024, "training must fit four megabytes");

static constinit ctlm::static_arena<trainer::train_bytes> train_memory;
static constinit ctlm::static_arena<lm::session_bytes> session_memory;

int main() {
  constexpr std::string_view text =
      "the quick brown fox jumps over the lazy dog. a model is a struct, and the compiler does the rest. "
      "the quick brown fox jumps over the lazy dog. a model is a struct, and the compiler does the rest. ";
  ctlm::token stream[text.size()];
  for (std::size_t i = 0; i < text.size(); ++i) stream[i] = text[i];

  trainer t(train_memory, {.seed = 1,
                           .optimizer = {.lr = 4e-3f, .weight_decay = 0.01f},
                           .schedule = {.warmup = 10, .total = 150, .min_lr = 4e-4f}});
  ctlm::batch_sampler batches(stream, trainer::sequence, 1);
  ctlm::token inputs[trainer::step_tokens], targets[trainer::step_tokens];
  float loss = 0;
  for (int step = 0; step < 150; ++step) {
    batches.next(inputs, targets);
    loss = t.step(inputs, targets).loss;
    if (step % 30 == 0 || step == 149) std::printf("step %3d  loss %.3f\n", step, static_cast<double>(loss));
  }

  lm::session session(t.weights(), session_memory);
  ctlm::sampler greedy;
  const ctlm::token prompt[] = {'t', 'h', 'e', ' ', 'q'};
  std::printf("the q");
  ctlm::generate(session, ctlm::span<const ctlm::token>(prompt), greedy, 27, [](ctlm::token c) { std::putchar(c); });
  std::printf("\n");
  return loss < 0.5f ? 0 : 1;
}
