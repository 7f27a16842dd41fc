// A loss of your own: of each row of logits a number, and in the logits' place its derivatives.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// Cross entropy against a target that keeps Percent of a hundred for all tokens alike (Szegedy et al. 2016,
/// "Rethinking the Inception Architecture").
template <std::size_t Percent>
struct smoothed_cross_entropy {
  static constexpr const char* name = "smoothed cross entropy";
  static constexpr double shared = static_cast<double>(Percent) / 100;

  template <class Backend, ctlm::executor E, class T>
  static constexpr ctlm::gradients<T> apply(Backend backend, E& exec, std::size_t rows, std::size_t n,
                                            ctlm::values<T> logits, const ctlm::token* targets, T scale, T* losses) {
    parallel_for(exec, rows, 16, [&](std::size_t first, std::size_t count, std::size_t) {
      for (std::size_t r = first; r < first + count; ++r)
        losses[r] = row(backend, n, logits.data + r * n, targets[r], scale);
    });
    return {logits.data};
  }

 private:
  template <class Backend, class T>
  static constexpr T row(Backend backend, std::size_t n, T* x, ctlm::token target, T scale) {
    if (target == ctlm::ignore_token) {  // no part in the loss, and gradients of 0
      for (std::size_t i = 0; i < n; ++i) x[i] = T(0);
      return T(0);
    }
    const T logit = x[target], own = T(1 - shared), each = T(shared) / T(n);
    const T all = sum(
        backend, n, [](const auto& v) { return v; }, x);
    const T log_sum = softmax(backend, n, x, scale);  // x becomes scale * probabilities
    elementwise(
        backend, n, [=](auto& v) { v -= scale * each; }, x);
    x[target] -= scale * own;
    return log_sum - own * logit - each * all;
  }
};
static_assert(ctlm::loss_policy<smoothed_cross_entropy<10>>);

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 23, .d_model = 12, .layers = 1, .heads = 3, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::f64>>;
template <std::size_t Percent>
using trainer = ctlm::trainer<lm, recipe, ctlm::loss<smoothed_cross_entropy<Percent>>>;

}  // namespace

TEST_CASE("a loss of the user's own: a row, by hand", "[extend]") {
  double x[] = {0.5, -1, 2}, loss = 0;
  const ctlm::token target = 1;
  double total = 0;
  for (double v : x) total += std::exp(v);
  double expected = 0;
  const double wanted[] = {0.3 / 3, 0.7 + 0.3 / 3, 0.3 / 3};
  for (std::size_t i = 0; i < 3; ++i) expected -= wanted[i] * (x[i] - std::log(total));
  ctlm::serial exec;
  smoothed_cross_entropy<30>::apply(ctlm::native{}, exec, 1, 3, ctlm::values<double>{x}, &target, 1.0, &loss);
  CHECK(loss == Approx(expected).epsilon(1e-12));
}

TEST_CASE("a loss of the user's own: gradients equal central differences", "[extend]") {
  auto targets = models::random_tokens(trainer<10>::batch_tokens, tiny::config.vocab, 6);
  targets[2] = targets[11] = ctlm::ignore_token;
  extend::check_gradients<trainer<10>>(models::random_tokens(targets.size(), tiny::config.vocab, 5), targets);
}

TEST_CASE("a loss of the user's own: a trainer makes it small", "[extend]") {
  ctlm::heap_arena memory(trainer<10>::train_bytes), other(trainer<0>::train_bytes);
  trainer<10> smoothed(memory, {.optimizer = {.lr = 1e-2f}});
  trainer<0> usual(other, {});
  const auto inputs = models::random_tokens(usual.batch_tokens, tiny::config.vocab, 1);
  const auto targets = models::random_tokens(usual.batch_tokens, tiny::config.vocab, 2);
  ctlm::heap_arena reference(ctlm::trainer<lm, recipe>::train_bytes);
  ctlm::trainer<lm, recipe> built_in(reference, {});
  CHECK(usual.evaluate(inputs, targets) == Approx(built_in.evaluate(inputs, targets)).epsilon(1e-12));
  const float before = smoothed.step(inputs, targets).loss;
  for (int i = 0; i < 60; ++i) smoothed.step(inputs, targets);
  CHECK(smoothed.evaluate(inputs, targets) < 0.7 * static_cast<double>(before));
}
