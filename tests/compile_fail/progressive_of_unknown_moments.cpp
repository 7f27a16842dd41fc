// expect: ctlm: progressive_trainer must know what each number of the optimizer's state is
#include <ctlm/ctlm.hpp>
#include <ctlm/train/progressive.hpp>

struct small {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 2, .heads = 2, .d_ff = 24, .context = 8};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
struct own {
  static constexpr const char* name = "own";
  static constexpr std::size_t moments = 1;
#ifndef CTLM_EXPECT_FAIL
  static constexpr ctlm::moment_kind moment_kinds[moments] = {ctlm::moment_kind::mean};
#endif
  struct options {
    float lr = 0;
  };
  template <class Backend, class T>
  static constexpr void apply(Backend, std::size_t, T*, const T*, T**, const options&, const ctlm::update&) {}
};
using trainer = ctlm::progressive_trainer<ctlm::causal_lm<small, ctlm::factored<4>>, recipe, ctlm::optimizer<own>>;
static_assert(trainer::train_bytes > 0);
