// A norm of your own: the forward pass of a row, its repetition, and the two halves of its backward pass.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

namespace {

/// y = tanh(x / 2) * weight + bias, which needs no statistics of the row (Zhu et al. 2025, "Transformers without
/// Normalization", with a factor that is not learned).
struct dynamic_tanh {
  static constexpr const char* name = "dynamic_tanh";  // tells models apart in files
  static constexpr double factor = 0.5;

  /// What the backward pass has to know of a row: nothing but the row.
  template <class T>
  struct statistics {};

  template <class Backend, class T>
  static constexpr statistics<T> forward(Backend backend, std::size_t n, const T* x, const T* weight, const T* bias,
                                         T* y, float /*epsilon*/) {
    repeat(backend, n, x, weight, bias, y, {});
    return {};
  }
  template <class Backend, class T>
  static constexpr void repeat(Backend backend, std::size_t n, const T* x, const T* weight, const T* bias, T* y,
                               const statistics<T>&) {
    elementwise(
        backend, n, [](auto& out, const auto& v, const auto& w) { out = squashed(v) * w; }, y, x, weight);
    if (bias != nullptr)  // the spec says whether there is one
      elementwise(
          backend, n, [](auto& out, const auto& b) { out += b; }, y, bias);
  }
  /// dx += ...
  template <class Backend, class T>
  static constexpr void backward_input(Backend backend, std::size_t n, const T* x, const T* weight, const T* dy, T* dx,
                                       const statistics<T>&) {
    elementwise(
        backend, n,
        [](auto& out, const auto& v, const auto& w, const auto& d) {
          const auto t = squashed(v);
          out += (T(1) - t * t) * T(factor) * w * d;
        },
        dx, x, weight, dy);
  }
  /// dweight += and dbias += ..., for n columns of the row.
  template <class Backend, class T>
  static constexpr void backward_weight(Backend backend, std::size_t n, const T* x, const T* dy, T* dweight, T* dbias,
                                        const statistics<T>&) {
    elementwise(
        backend, n, [](auto& out, const auto& v, const auto& d) { out += squashed(v) * d; }, dweight, x, dy);
    if (dbias != nullptr)
      elementwise(
          backend, n, [](auto& out, const auto& d) { out += d; }, dbias, dy);
  }

 private:
  template <class V>
  static constexpr V squashed(const V& x) {
    using ctlm::math::tanh;
    return tanh(ctlm::constant<V>(factor) * x);
  }
};
static_assert(ctlm::norm_policy<dynamic_tanh>);

struct with_bias {
  static constexpr ctlm::gpt2_config config{.vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .context = 9};
};
struct without_bias {
  static constexpr ctlm::llama_config config{
      .vocab = 23, .d_model = 12, .layers = 2, .heads = 3, .d_ff = 20, .context = 9};
};
struct recipe {
  static constexpr ctlm::train_config config{.batch = 1};
};
template <class Tag>
using lm = ctlm::causal_lm<Tag, ctlm::weights<ctlm::f64>, ctlm::norm<dynamic_tanh>>;

}  // namespace

TEST_CASE("a norm of the user's own: a row, by hand", "[extend]") {
  const double x[] = {-3, 0, 0.5, 2}, weight[] = {1, 2, 3, 4}, bias[] = {0.1, 0.2, 0.3, 0.4};
  double y[4];
  dynamic_tanh::forward(ctlm::native{}, 4, x, weight, bias, y, 0.0f);
  for (std::size_t i = 0; i < 4; ++i) CHECK(y[i] == Approx(std::tanh(x[i] / 2) * weight[i] + bias[i]).epsilon(1e-12));
}

TEMPLATE_TEST_CASE("a norm of the user's own: a model learns through it", "[extend]", with_bias, without_bias) {
  extend::check_gradients<ctlm::trainer<lm<TestType>, recipe>>();
}

TEST_CASE("a norm of the user's own: a session computes what the trainer does", "[extend]") {
  using model = lm<with_bias>;
  using trainer = ctlm::trainer<model, recipe>;
  models::running<model> running;
  models::randomise<model>(running.weights);
  ctlm::heap_arena memory(trainer::train_bytes);
  trainer t(memory, {});
  t.start_from(running.weights);
  const auto text = models::random_tokens(trainer::batch_tokens + 1, model::shape.vocab);
  const ctlm::span<const ctlm::token> tokens(text);
  const double expected = t.evaluate(tokens.first(text.size() - 1), tokens.subspan(1, text.size() - 1));
  CHECK(ctlm::mean_nll(running.session, text) == Approx(expected).epsilon(1e-10));
  using usual = ctlm::causal_lm<with_bias, ctlm::weights<ctlm::f64>>;
  CHECK(ctlm::weights_fingerprint<model>() != ctlm::weights_fingerprint<usual>());
  CHECK(model::weight_bytes == usual::weight_bytes);
}
