// expect-first: ctlm: a trainer takes, in this order: an arena
#include <ctlm/ctlm.hpp>

template <std::size_t N>
struct crew {  // as pool<N>, which the trimmed form does not have
  static constexpr std::size_t max_workers = N;
  std::size_t workers() const { return at_work; }
  template <class F>
  void run(std::size_t tasks, F&& f) {
    for (std::size_t t = 0; t < tasks; ++t) f(t, std::size_t{0});
  }
  std::size_t at_work = 1;
};
struct tag {
  static constexpr ctlm::gpt2_config config{.vocab = 8, .d_model = 16, .layers = 1, .heads = 2, .context = 8};
};
using lm = ctlm::causal_lm<tag, ctlm::threads<crew<2>>>;
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
using trainer = ctlm::trainer<lm, recipe>;

void use(ctlm::span_arena& arena, crew<2>& workers) {
#ifdef CTLM_EXPECT_FAIL
  trainer t({.seed = 1}, arena, workers);
#else
  trainer t(arena, {.seed = 1}, workers);
#endif
}
