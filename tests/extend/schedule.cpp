// A schedule of your own: the learning rate of each step.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// Rises for `warmup` steps, and then falls with the root of the step (Vaswani et al. 2017, "Attention Is All You
/// Need").
struct inverse_root {
  struct options {
    std::size_t warmup = 100;  // steps
  };
  /// Optional: options that cannot be computed with are refused before the first step.
  static constexpr ctlm::failure problem_of(const options& o) {
    if (o.warmup > 0) return {};
    return {ctlm::errc::invalid_argument, "schedule.warmup must be at least 1 step, not 0"};
  }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    const auto now = static_cast<double>(step + 1), peak = static_cast<double>(o.warmup);
    return now < peak ? lr * now / peak : lr * ctlm::math::sqrt(peak / now);
  }
};
static_assert(ctlm::schedule_policy<inverse_root>);

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 23, .d_model = 12, .layers = 1, .heads = 3, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
using trainer = ctlm::trainer<ctlm::causal_lm<tiny>, recipe, ctlm::schedule<inverse_root>>;

}  // namespace

TEST_CASE("a schedule of the user's own: a trainer follows it", "[extend]") {
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(memory, {.optimizer = {.lr = 2e-3f}, .schedule = {.warmup = 4}});
  const auto tokens = models::random_tokens(trainer::step_tokens, tiny::config.vocab);
  const double lr = static_cast<double>(2e-3f);
  for (std::size_t step = 1; step <= 20; ++step) {
    const double expected =
        step <= 4 ? lr * static_cast<double>(step) / 4 : lr * std::sqrt(4 / static_cast<double>(step));
    CHECK(static_cast<double>(t.step(tokens, tokens).lr) == Approx(expected).epsilon(1e-6));
  }
}

#if CTLM_EXCEPTIONS
TEST_CASE("a schedule of the user's own: what it refuses is an error in its words", "[extend]") {
  ctlm::heap_arena memory(trainer::train_bytes);
  CHECK_THROWS_WITH(trainer(memory, trainer::options{.schedule = {.warmup = 0}}),
                    "schedule.warmup must be at least 1 step, not 0");
}
#endif
