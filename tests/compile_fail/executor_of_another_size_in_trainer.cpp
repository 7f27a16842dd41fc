// expect-first: ctlm: the last argument is not the executor of this model: threads<pool<N>> takes a pool<N> of the same
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

#ifdef CTLM_EXPECT_FAIL
using workers_type = crew<4>;
#else
using workers_type = crew<2>;
#endif

void use(ctlm::span_arena& arena, workers_type& workers) { trainer t(arena, {.seed = 1}, workers); }
