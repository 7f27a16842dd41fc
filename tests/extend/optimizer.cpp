// An optimizer of your own: options, moments, and one pass over weights.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// Lion: steps of equal size along the sign of a mean of gradients (Chen et al. 2023, "Symbolic Discovery of
/// Optimization Algorithms"). One number of state for each weight.
struct lion {
  static constexpr const char* name = "lion";
  static constexpr std::size_t moments = 1;
  static constexpr ctlm::moment_kind moment_kinds[moments] = {ctlm::moment_kind::mean};  // optional

  struct options {
    float lr = 1e-4f;
    float beta1 = 0.9f;
    float beta2 = 0.99f;
    float weight_decay = 0.0f;  // of matrices
  };
  /// Optional: options that cannot be computed with are refused before the first step.
  static constexpr ctlm::failure problem_of(const options& o) {
    return ctlm::first_problem(ctlm::not_negative(static_cast<double>(o.lr), "optimizer.lr"),
                               ctlm::below_one(static_cast<double>(o.beta1), "optimizer.beta1"),
                               ctlm::below_one(static_cast<double>(o.beta2), "optimizer.beta2"));
  }

  template <class Backend, class T>
  static constexpr void apply(Backend backend, std::size_t n, T* w, const T* g, T** moment, const options& o,
                              const ctlm::update& u) {
    const T beta1 = T(o.beta1), beta2 = T(o.beta2), rate = T(u.lr), scale = T(u.gradient_scale);
    const T keep = T(1 - (u.decay ? u.lr * static_cast<double>(o.weight_decay) : 0));
    elementwise(
        backend, n,
        [=](auto& weight, auto& mean, const auto& gradient) {
          const auto d = gradient * scale;
          weight = weight * keep - sign(mean * beta1 + d * (T(1) - beta1)) * rate;
          mean = mean * beta2 + d * (T(1) - beta2);
        },
        w, moment[0], g);
  }

 private:
  template <class V>
  static constexpr V sign(const V& x) {
    using ctlm::math::select;
    const V zero = ctlm::constant<V>(0), one = ctlm::constant<V>(1);
    return select(x > zero, one, select(x < zero, -one, zero));
  }
};
static_assert(ctlm::optimizer_policy<lion>);

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 23, .d_model = 12, .layers = 1, .heads = 3, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};
using lm = ctlm::causal_lm<tiny, ctlm::weights<ctlm::f64>>;
using trainer = ctlm::trainer<lm, recipe, ctlm::optimizer<lion>>;

/// The formula, number by number.
struct by_hand {
  std::vector<double> weights, means;

  void step(const double* g, const lion::options& o, double norm, bool decay) {
    const double limit = 1, scale = norm > limit ? limit / (norm + 1e-6) : 1;
    const auto lr = static_cast<double>(o.lr), beta1 = static_cast<double>(o.beta1),
               beta2 = static_cast<double>(o.beta2);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double d = g[i] * scale, direction = beta1 * means[i] + (1 - beta1) * d;
      weights[i] *= 1 - (decay ? lr * static_cast<double>(o.weight_decay) : 0);
      weights[i] -= direction > 0 ? lr : direction < 0 ? -lr : 0;
      means[i] = beta2 * means[i] + (1 - beta2) * d;
    }
  }
};

static_assert(lion::moment_kinds[0] == ctlm::moment_kind::mean);

}  // namespace

TEST_CASE("an optimizer of the user's own: twenty steps of a trainer, beside the formula", "[extend]") {
  ctlm::heap_arena memory(trainer::train_bytes);
  const trainer::options options{.optimizer = {.lr = 1e-3f, .weight_decay = 0.1f}};
  trainer t(memory, options);
  std::vector<by_hand> expected;
  for (const ctlm::tensor_info& info : lm::tensors) {
    const auto w = t.weights().numbers(info);
    expected.push_back({{w.begin(), w.end()}, std::vector<double>(info.size())});
  }
  double first = 0;
  for (std::size_t step = 0; step < 20; ++step) {
    const auto inputs = models::random_tokens(trainer::step_tokens, tiny::config.vocab, 1);
    const ctlm::step_result r = t.step(inputs, inputs);
    if (step == 0) first = static_cast<double>(r.loss);
    double squares = 0;  // the trainer's own norm comes back in single precision
    for (const ctlm::tensor_info& info : lm::tensors)
      for (double g : t.gradients().numbers(info)) squares += g * g;
    double worst = 0;
    std::size_t n = 0;
    for (const ctlm::tensor_info& info : lm::tensors) {
      by_hand& hand = expected[n++];
      hand.step(t.gradients().numbers(info).data(), options.optimizer, std::sqrt(squares), info.is_matrix());
      for (std::size_t i = 0; i < info.size(); ++i)
        worst = worse(worst, std::fabs(hand.weights[i] - t.weights().numbers(info)[i]));
    }
    CHECK(worst < 1e-12);
  }
  const auto inputs = models::random_tokens(trainer::step_tokens, tiny::config.vocab, 1);
  CHECK(t.evaluate(inputs, inputs) < first);
}

TEST_CASE("an optimizer of the user's own: its state is in train_bytes", "[extend]") {
  using usual = ctlm::trainer<lm, recipe>;  // AdamW keeps two numbers for each weight
  CHECK(usual::state_bytes == 2 * trainer::state_bytes);
  CHECK(usual::train_bytes - trainer::train_bytes == trainer::state_bytes);
}
