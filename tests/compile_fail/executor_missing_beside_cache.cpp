// expect-first: ctlm: the executor is missing: a model with threads<pool<N>> takes the pool
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

void use(const lm::const_weights& w, ctlm::span_arena& arena, [[maybe_unused]] crew<2>& workers) {
#ifdef CTLM_EXPECT_FAIL
  lm::session session(w, arena, arena);
#else
  lm::session session(w, arena, arena, workers);
#endif
}
