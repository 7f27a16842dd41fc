// expect: ctlm: factored<rank, ...> needs a rank of at least 1
// expect: ctlm: factored<rank, ...>: the rank is above the rows or the columns of a matrix that is named
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
constexpr std::size_t low = 0, high = 17;
#else
constexpr std::size_t low = 1, high = 16;
#endif

struct small {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = 16, .layers = 2, .heads = 2, .d_ff = 24, .context = 8};
};
static_assert(ctlm::causal_lm<small, ctlm::factored<low>>::weight_bytes > 0);
static_assert(ctlm::causal_lm<small, ctlm::factored<high>>::weight_bytes > 0);
