// expect: ctlm: this head was made for vectors of another model: d_model and the numbers must be the same
#include <ctlm/ctlm.hpp>
#include <ctlm/model/predict.hpp>

template <std::size_t d>
struct tag {
  static constexpr ctlm::llama_config config{
      .vocab = 32, .d_model = d, .layers = 1, .heads = 2, .d_ff = 32, .context = 8, .tie_embeddings = true};
};
using lm = ctlm::causal_lm<tag<16>>;
#ifdef CTLM_EXPECT_FAIL
using other = ctlm::causal_lm<tag<32>>;
#else
using other = lm;
#endif

ctlm::class_found find(lm::session& session, ctlm::head_weights<other, ctlm::classification<2>>& head) {
  const ctlm::token text[2]{};
  return ctlm::classify(session, head, ctlm::span<const ctlm::token>(text));
}
