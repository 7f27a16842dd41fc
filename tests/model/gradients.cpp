// Gradients of whole two-layer models of each spec against central differences, in double.
#include "catch.hpp"

#include "models.hpp"
#include "worse.hpp"

#include <cmath>

using namespace models;
using namespace ctlm;

namespace {

template <bool Bias, bool Tied>
struct gpt2 {
  static constexpr gpt2_config config{.vocab = 23,
                                      .d_model = 12,
                                      .layers = 2,
                                      .heads = 3,
                                      .context = 9,
                                      .d_ff = 20,
                                      .bias = Bias,
                                      .tie_embeddings = Tied};
};
template <bool Bias, bool Tied>
struct llama {
  static constexpr llama_config config{.vocab = 23,
                                       .d_model = 24,
                                       .layers = 2,
                                       .heads = 6,
                                       .kv_heads = 2,
                                       .d_ff = 20,
                                       .context = 9,
                                       .tie_embeddings = Tied,
                                       .bias = Bias};
};
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

constexpr std::size_t samples = 200;  // elements of each tensor, spread over it; smaller tensors are looked at whole

/// The derivative of loss() by x: four points, so that the error falls with the fourth power of the step.
template <class Loss>
double derivative(double& x, Loss loss) {
  const double saved = x, h = 1e-3;
  auto at = [&](double shift) {
    x = saved + shift;
    return loss();
  };
  const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  x = saved;
  return slope;
}

struct comparison {
  const char* name = "";
  double worst = 0, largest = 0;
  std::size_t looked_at = 0;
};

/// Compares a tensor's gradient with differences of the loss.
template <class T, class Loss>
comparison compare(T& t, const typename T::model::weights& weights, const tensor_info& info, Loss loss) {
  double* w = weights.numbers(info).data();
  const double* g = t.gradients().numbers(info).data();
  const std::vector<double> analytic(g, g + info.size());  // the loss may overwrite the gradients
  comparison c{.name = info.name, .looked_at = smaller(info.size(), samples)};
  rng random{3};
  for (std::size_t k = 0; k < c.looked_at; ++k) {  // one element of each of looked_at stretches
    const std::size_t first = k * info.size() / c.looked_at, end = (k + 1) * info.size() / c.looked_at;
    const std::size_t i = first + random.below(end - first);
    const double numeric = derivative(w[i], loss);
    c.worst = worse(c.worst, std::fabs(numeric - analytic[i]));
    c.largest = worse(c.largest, std::fabs(numeric));
  }
  return c;
}

template <class T>
void check_all_tensors(float dropout) {
  heap_arena memory(T::train_bytes);
  T t(memory, {.dropout = dropout});
  typename T::model::weights w;
  t.start_from([&](const auto& weights) {
    randomise<typename T::model>(weights, 0.3);
    w = weights;  // the derivatives below are taken by changing them
  });
  const auto inputs = random_tokens(T::step_tokens, T::shape.vocab, 5);
  auto targets = random_tokens(T::step_tokens, T::shape.vocab, 6);
  targets[3] = targets[11] = ignore_token;
  const double loss = t.forward_backward(inputs, targets);
  if (dropout == 0) CHECK(t.evaluate(inputs, targets) == Approx(loss).epsilon(1e-13));
  for (const tensor_info& info : T::model::tensors) {
    t.forward_backward(inputs, targets);
    // A dropout mask depends on the step alone, so the loss is a smooth function of the weights with it, too.
    const comparison c = compare(
        t, w, info, [&] { return dropout > 0 ? t.forward_backward(inputs, targets) : t.evaluate(inputs, targets); });
    INFO(c.name << ": " << c.looked_at << " elements, largest gradient " << c.largest << ", worst difference "
                << c.worst);
    // The key bias shifts all scores of a query alike, which the softmax does not feel: some gradients are truly 0.
    CHECK(c.largest > 1e-4);
    CHECK(c.worst < 1e-6 * c.largest);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("gradients of a whole model equal central differences", "[model][gradient]",
                   (trainer_of<gpt2<true, true>>), (trainer_of<gpt2<false, true>>), (trainer_of<gpt2<true, false>>),
                   (trainer_of<gpt2<false, false>>), (trainer_of<llama<false, false>>),
                   (trainer_of<llama<false, true>>), (trainer_of<llama<true, false>>),
                   (trainer_of<gpt2<true, true>, activation<geglu>>), (trainer_of<wide_llama>),
                   (trainer_of<narrow_gpt2>)) {
  check_all_tensors<TestType>(0.0f);
}

TEMPLATE_TEST_CASE("gradients through dropout equal central differences", "[model][gradient]",
                   (trainer_of<gpt2<true, true>>), (trainer_of<llama<false, false>>)) {
  check_all_tensors<TestType>(0.25f);
}
