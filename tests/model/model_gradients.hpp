// The gradients of a whole model against central differences of its loss, in double.
#pragma once

#include "models.hpp"
#include "worse.hpp"

#include <cmath>
#include <string>

namespace models {

using namespace ctlm;

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

/// Elements that are looked at of each tensor, spread over it; smaller tensors are looked at whole.
inline constexpr std::size_t samples = 200;

/// The derivative of loss() by x: four points, so that the error falls with the fourth power of h.
template <class Loss>
double derivative(double& x, double h, Loss loss) {
  const double saved = x;
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
comparison compare(T& t, const typename T::model::weights& weights, const tensor_info& info, double h, Loss loss) {
  double* w = weights.numbers(info).data();
  const double* g = t.gradients().numbers(info).data();
  const std::vector<double> analytic(g, g + info.size());  // the loss may overwrite the gradients
  comparison c{.name = info.name, .looked_at = smaller(info.size(), samples)};
  rng random{3};
  for (std::size_t k = 0; k < c.looked_at; ++k) {  // one element of each of looked_at stretches
    const std::size_t first = k * info.size() / c.looked_at, end = (k + 1) * info.size() / c.looked_at;
    const std::size_t i = first + random.below(end - first);
    const double numeric = derivative(w[i], h, loss);
    c.worst = worse(c.worst, std::fabs(numeric - analytic[i]));
    c.largest = worse(c.largest, std::fabs(numeric));
  }
  return c;
}

/// A model with random weights, its loss by the pass that leaves gradients and by the one that does not, and each
/// tensor's comparison.
struct gradient_report {
  double loss = 0, evaluated = 0;
  std::vector<comparison> tensors{};

  /// The key bias shifts all scores of a query alike, which the softmax does not feel: some gradients are truly 0. The
  /// others must agree to the sixth digit of the largest.
  std::string wrong() const {
    std::string names;
    for (const comparison& c : tensors)
      if (!(c.largest > 1e-4) || !(c.worst < 1e-6 * c.largest))
        names.append(c.name)
            .append(": ")
            .append(std::to_string(c.looked_at))
            .append(" elements, largest gradient ")
            .append(std::to_string(c.largest))
            .append(", worst difference ")
            .append(std::to_string(c.worst))
            .append("\n");
    return names;
  }
};

template <class T>
gradient_report compare_all_tensors(float dropout, double h = 1e-3) {
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
  gradient_report report{.loss = t.forward_backward(inputs, targets)};
  report.evaluated = t.evaluate(inputs, targets);
  for (const tensor_info& info : T::model::tensors) {
    t.forward_backward(inputs, targets);
    // A dropout mask depends on the step alone, so the loss is a smooth function of the weights with it, too.
    report.tensors.push_back(compare(t, w, info, h, [&] {
      return dropout > 0 ? t.forward_backward(inputs, targets) : t.evaluate(inputs, targets);
    }));
  }
  return report;
}

}  // namespace models
