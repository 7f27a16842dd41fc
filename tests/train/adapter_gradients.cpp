// Gradients of what train_only<> has, adapters and whole tensors, against central differences, in double.
#include "catch.hpp"

#include "adapters.hpp"

using namespace models;
using namespace adapter_models;

namespace {

template <class Tag, class... Parts>
using part_of = trainer<causal_lm<Tag, weights<f64>>, recipe, train_only<Parts...>>;
template <class Tag, class... Parts>
using recomputed_part_of = trainer<causal_lm<Tag, weights<f64>>, recipe, train_only<Parts...>, recompute<2>>;

using q_and_v = tensors::any<tensors::queries, tensors::values>;
using last_out = tensors::both<tensors::any<tensors::out, tensors::down>, tensors::layers<1>>;

/// Every entry's comparison, by differences of the loss with, or without, dropout.
template <class T>
gradient_report compare_parts(bool dropout) {
  using lm = typename T::model;
  heap_arena base_memory(lm::weight_bytes), memory(T::train_bytes);
  typename lm::weights base(base_memory);
  randomise<lm>(base, 0.3);
  T t(base, memory, {});
  rng random{9};
  for (const tensor_info& info : t.learned().tensors)
    for (double& x : t.learned().numbers(info)) x += 0.3 * random.normal();
  const auto inputs = random_tokens(T::step_tokens, T::shape.vocab, 5);
  auto targets = random_tokens(T::step_tokens, T::shape.vocab, 6);
  targets[3] = targets[11] = ignore_token;
  gradient_report report{.loss = t.forward_backward(inputs, targets)};
  report.evaluated = t.evaluate(inputs, targets);
  for (const tensor_info& info : t.learned().tensors) {
    t.forward_backward(inputs, targets);
    const span<double> w = t.learned().numbers(info), g = t.gradients().numbers(info);
    const std::vector<double> analytic(g.begin(), g.end());
    comparison c{.name = info.name, .looked_at = smaller(info.size(), samples)};
    for (std::size_t k = 0; k < c.looked_at; ++k) {
      const std::size_t i = k * info.size() / c.looked_at;
      const double numeric = derivative(
          w[i], 1e-4, [&] { return dropout ? t.forward_backward(inputs, targets) : t.evaluate(inputs, targets); });
      c.worst = worse(c.worst, std::fabs(numeric - analytic[i]));
      c.largest = worse(c.largest, std::fabs(numeric));
    }
    report.tensors.push_back(c);
  }
  return report;
}

}  // namespace

TEMPLATE_TEST_CASE("gradients of adapters equal central differences", "[train][gradient]",
                   (part_of<llama<false, false>, lora<3>>), (part_of<llama<true, true>, lora<2, q_and_v, stabilised>>),
                   (part_of<gpt2<true, true>, lora<3>, tensors::biases>), (part_of<gemma2, lora<2>>),
                   (recomputed_part_of<qwen3, lora<2>, tensors::gains>),
                   (part_of<llama<false, true>, lora<2, last_out>, tensors::embedding>)) {
  const gradient_report report = compare_parts<TestType>(false);
  CHECK(report.evaluated == Approx(report.loss).epsilon(1e-13));
  CHECK(report.tensors.size() >= 2);
  CHECK(report.wrong() == "");
}

TEST_CASE("gradients through the dropout of adapters equal central differences", "[train][gradient]") {
  using T = part_of<llama<true, false>, lora<3, tensors::projections, dropping>>;
  const gradient_report report = compare_parts<T>(true);
  CHECK(std::fabs(report.evaluated - report.loss) > 1e-3);  // evaluate drops nothing
  CHECK(report.wrong() == "");
}

TEMPLATE_TEST_CASE("gradients of whole tensors that learn alone equal central differences", "[train][gradient]",
                   (part_of<llama<false, true>, tensors::layers<1>>), (part_of<gpt2<true, false>, tensors::head>),
                   (part_of<gpt2<true, true>, tensors::biases>), (part_of<qwen3, tensors::gains>),
                   (part_of<gpt2<true, true>, tensors::positions, tensors::up>)) {
  const gradient_report report = compare_parts<TestType>(false);
  CHECK(report.evaluated == Approx(report.loss).epsilon(1e-13));
  CHECK(report.wrong() == "");
}
