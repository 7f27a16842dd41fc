// An activation of your own: its values and slopes, written once for numbers and for registers of them.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// (x + sqrt(x^2 + 4)) / 2: a ReLU without a corner (Barron 2021, "Squareplus: A Softplus-Like Algebraic Rectifier").
struct squareplus {
  static constexpr const char* name = "squareplus";  // tells models apart in files
  static constexpr bool gated = false;
  template <class V>
  static constexpr V value(const V& x) {
    using ctlm::math::sqrt;  // of numbers; that of registers is found without being named
    return ctlm::constant<V>(0.5) * (x + sqrt(x * x + ctlm::constant<V>(4)));
  }
  template <class V>
  static constexpr V derivative(const V& x) {
    using ctlm::math::sqrt;
    return ctlm::constant<V>(0.5) * (ctlm::constant<V>(1) + x / sqrt(x * x + ctlm::constant<V>(4)));
  }
};

/// f(gate) * up, with two projections instead of one.
struct gated_squareplus : ctlm::gated_form<squareplus> {
  static constexpr const char* name = "gated_squareplus";
};
static_assert(ctlm::activation_function<squareplus> && ctlm::activation_function<gated_squareplus>);

struct tiny {
  static constexpr ctlm::gpt2_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 2};
};

}  // namespace

TEST_CASE("an activation of the user's own: slopes are those of its values", "[extend]") {
  for (double x = -6; x <= 6; x += 0.37)
    CHECK(squareplus::derivative(x) ==
          Approx(extend::derivative([](double v) { return squareplus::value(v); }, x)).margin(1e-10));
}

TEST_CASE("an activation of the user's own: registers compute what numbers do", "[extend]") {
  std::vector<float> x(101), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.2f * static_cast<float>(i) - 10.0f;
  ctlm::serial exec;
  ctlm::activation_forward(squareplus{}, ctlm::native{}, exec, 1, x.size(), x.data(), y.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = squareplus::value(static_cast<double>(x[i]));
    CHECK(static_cast<double>(y[i]) == Approx(exact).margin(1e-5));
  }
}

TEST_CASE("an activation of the user's own: a model learns through it", "[extend]") {
  using plain = ctlm::causal_lm<tiny, ctlm::weights<ctlm::f64>, ctlm::activation<squareplus>>;
  using gated = ctlm::causal_lm<tiny, ctlm::weights<ctlm::f64>, ctlm::activation<gated_squareplus>>;
  extend::check_gradients<ctlm::trainer<plain, recipe>>();
  extend::check_gradients<ctlm::trainer<gated, recipe>>();
  CHECK(gated::parameters > plain::parameters);
  CHECK(ctlm::weights_fingerprint<plain>() !=
        ctlm::weights_fingerprint<ctlm::causal_lm<tiny, ctlm::weights<ctlm::f64>>>());
}
