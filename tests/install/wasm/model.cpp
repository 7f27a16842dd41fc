// A module of a user's: learns a sequence of tokens, and is asked for a second trainer, for which there is no room.
#include <ctlm/ctlm.hpp>

struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 32, .d_model = 24, .layers = 2, .heads = 3, .context = 32};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
using trainer = ctlm::trainer<ctlm::causal_lm<tag, ctlm::backend<ctlm::portable>>, recipe>;

static constinit ctlm::static_arena<trainer::train_bytes> memory;

extern "C" __attribute__((import_module("env"), import_name("take_loss"))) void take_loss(float loss);

extern "C" __attribute__((export_name("learn"))) void learn(int steps) {
  trainer t(memory, {.optimizer = {.lr = 1e-2f}});
  ctlm::token inputs[trainer::step_tokens], targets[trainer::step_tokens];
  for (std::size_t i = 0; i < trainer::step_tokens; ++i) {
    inputs[i] = static_cast<ctlm::token>(i % 8);
    targets[i] = static_cast<ctlm::token>((i + 1) % 8);
  }
  for (; steps > 0; --steps) take_loss(t.step(inputs, targets).loss);
}
