// Gradients of whole two-layer models of each spec against central differences, in double.
#include "catch.hpp"

#include "model_gradients.hpp"

using namespace models;
using namespace ctlm;

namespace {

/// Heads that are together wider, or narrower, than d_model.
struct wide_llama {
  static constexpr llama_config config{
      .vocab = 23, .d_model = 10, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .d_ff = 20, .context = 9};
};
struct narrow_gpt2 {
  static constexpr gpt2_config config{
      .vocab = 23, .d_model = 14, .layers = 2, .heads = 3, .head_dim = 3, .context = 9, .d_ff = 20};
};
struct recipe {
  static constexpr train_config config{.batch = 2};
};

template <class Tag, class... Slots>
using trainer_of = trainer<causal_lm<Tag, weights<f64>, Slots...>, recipe>;

}  // namespace

TEMPLATE_TEST_CASE("gradients of a whole model equal central differences", "[model][gradient]",
                   (trainer_of<gpt2<true, true>>), (trainer_of<gpt2<false, true>>), (trainer_of<gpt2<true, false>>),
                   (trainer_of<gpt2<false, false>>), (trainer_of<llama<false, false>>),
                   (trainer_of<llama<false, true>>), (trainer_of<llama<true, false>>),
                   (trainer_of<gpt2<true, true>, activation<geglu>>), (trainer_of<wide_llama>),
                   (trainer_of<narrow_gpt2>)) {
  const gradient_report report = compare_all_tensors<TestType>(0.0f);
  CHECK(report.evaluated == Approx(report.loss).epsilon(1e-13));
  CHECK(report.tensors.size() == TestType::model::tensors.size());
  CHECK(report.wrong() == "");
}

TEMPLATE_TEST_CASE("gradients through dropout equal central differences", "[model][gradient]",
                   (trainer_of<gpt2<true, true>>), (trainer_of<llama<false, false>>)) {
  const gradient_report report = compare_all_tensors<TestType>(0.25f);
  CHECK(report.tensors.size() == TestType::model::tensors.size());
  CHECK(report.wrong() == "");
}
