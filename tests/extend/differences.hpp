// What these pages hold their gradients against: central differences in double.
#pragma once

#include "catch.hpp"
#include "model/models.hpp"
#include "worse.hpp"

#include <cmath>

namespace extend {

/// The derivative of f at x from four points: its error falls with the fourth power of the step.
template <class F>
double derivative(F f, double x) {
  const double h = 1e-3;
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

/// One tensor: up to 40 elements of its gradient against differences of the trainer's loss.
template <class T>
void check_tensor(T& t, const typename T::model::weights& weights, const ctlm::tensor_info& info,
                  ctlm::span<const ctlm::token> inputs, ctlm::span<const ctlm::token> targets) {
  t.forward_backward(inputs, targets);
  const double* const g = t.gradients().numbers(info).data();
  double* const x = weights.numbers(info).data();
  const std::size_t looked_at = ctlm::smaller(info.size(), 40);
  double worst = 0, largest = 0;
  std::vector<double> computed(g, g + info.size());
  for (std::size_t k = 0; k < looked_at; ++k) {
    const std::size_t i = k * info.size() / looked_at;
    const double saved = x[i];
    const auto loss = [&](double value) {
      x[i] = value;
      return t.evaluate(inputs, targets);
    };
    const double expected = derivative(loss, saved);
    x[i] = saved;
    worst = worse(worst, std::fabs(expected - computed[i]));
    largest = worse(largest, std::fabs(expected));
  }
  INFO(info.name << ": largest gradient " << largest << ", worst difference " << worst);
  CHECK(worst < 1e-6 * largest + 1e-9);
}

/// All tensors of a trainer with weights<f64>, for one micro-batch of these tokens.
template <class T>
void check_gradients(ctlm::span<const ctlm::token> inputs, ctlm::span<const ctlm::token> targets) {
  ctlm::heap_arena memory(T::train_bytes);
  T t(memory, {});
  typename T::model::weights weights;
  t.start_from([&](const auto& w) {
    models::randomise<typename T::model>(w, 0.3);
    weights = w;  // the differences are taken by changing them
  });
  for (const ctlm::tensor_info& info : T::model::tensors) check_tensor(t, weights, info, inputs, targets);
}

/// The same with random tokens.
template <class T>
void check_gradients() {
  check_gradients<T>(models::random_tokens(T::batch_tokens, T::shape.vocab, 5),
                     models::random_tokens(T::batch_tokens, T::shape.vocab, 6));
}

}  // namespace extend
