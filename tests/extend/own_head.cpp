// A head of your own with weights of its own: a hidden layer, a pooling that counts later rows for more, and a loss
// that far misses change less.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/train/heads.hpp>

namespace {

using namespace ctlm;

/// Row i of n has the share (i + 1) of 1 + 2 + ... + n (SGPT: Muennighoff 2022).
struct later_rows {
  static constexpr const char* name = "later";
  static constexpr double share(std::size_t row, std::size_t length) {
    const auto n = static_cast<double>(length);
    return 2 * static_cast<double>(row + 1) / (n * (n + 1));
  }
};

/// One number: u . tanh(V x + a), with the loss log(cosh(y - target)).
template <std::size_t Hidden>
struct hidden_layer {
  static constexpr const char* name = "hidden layer";
  static constexpr std::size_t outputs = 1, targets = 1;
  using pooling = later_rows;
  template <class T>
  using target = T;
  static constexpr head_tensors tensors(std::size_t d) {
    return {{{"hidden.weight", Hidden, d, true}, {"hidden.bias", 1, Hidden, false}, {"out.weight", 1, Hidden, true}}};
  }
  template <class Backend, class T>
  static constexpr T hidden(Backend, head_numbers<const T> w, std::size_t d, const T* x, std::size_t i) {
    T s = w[1][i];
    for (std::size_t j = 0; j < d; ++j) s += w[0][i * d + j] * x[j];
    return T(2) / (T(1) + math::exp(T(-2) * s)) - T(1);
  }
  template <class Backend, class T>
  static constexpr void forward(Backend b, head_numbers<const T> w, std::size_t d, const T* x, T* out) {
    *out = 0;
    for (std::size_t i = 0; i < Hidden; ++i) *out += w[2][i] * hidden(b, w, d, x, i);
  }
  template <class Backend, class T>
  static constexpr void backward(Backend b, head_numbers<const T> w, head_numbers<T> g, std::size_t d, const T* x,
                                 const T* dout, T* dx) {
    for (std::size_t j = 0; j < d; ++j) dx[j] = 0;
    for (std::size_t i = 0; i < Hidden; ++i) {
      const T h = hidden(b, w, d, x, i), slope = *dout * w[2][i] * (T(1) - h * h);
      g[2][i] += *dout * h;
      g[1][i] += slope;
      for (std::size_t j = 0; j < d; ++j) {
        g[0][i * d + j] += slope * x[j];
        dx[j] += slope * w[0][i * d + j];
      }
    }
  }
  template <class T>
  static constexpr bool takes_part(const T*) {
    return true;
  }
  template <class T>
  static constexpr failure problem_of(const T*, std::size_t) {
    return {};
  }
  template <class Backend, class T>
  static constexpr T loss(Backend, T* out, const T* wanted, T scale) {
    const T apart = *out - *wanted, e = math::exp(T(-2) * math::abs(apart));
    *out = scale * (T(1) - e) / (T(1) + e) * (apart < 0 ? T(-1) : T(1));
    return math::abs(apart) + math::log((T(1) + e) / T(2));
  }
};
static_assert(sequence_head<hidden_layer<5>>);

struct tiny {
  static constexpr gpt2_config config{.vocab = 23, .d_model = 12, .layers = 1, .heads = 3, .context = 9};
};
struct recipe {
  static constexpr train_config config{.batch = 3};
};
using T = trainer<causal_lm<tiny, weights<f64>>, recipe, head<hidden_layer<5>>>;

}  // namespace

TEST_CASE("a head of the user's own with weights: gradients equal central differences", "[extend]") {
  heap_arena memory(T::train_bytes);
  T t(memory, {});
  T::model::weights w;
  t.start_from([&](const auto& weights) {
    models::randomise<T::model>(weights, 0.3);
    w = weights;
  });
  const auto inputs = models::random_tokens(T::batch_tokens, 23, 5);
  const std::vector<std::size_t> lengths{9, 4, 1};
  const std::vector<double> targets{0.5, -2, 1};
  rng random{3};
  for (std::size_t i = 0; i < T::weights_of_head::count; ++i)
    for (double& x : t.head()[i]) x = random.normal() * 0.5;
  const auto compare = [&](const char* name, span<double> x, const double* g) {
    t.forward_backward(inputs, lengths, targets);
    const std::vector<double> computed(g, g + x.size());
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < x.size(); i += 1 + x.size() / 40) {
      const double saved = x[i];
      const double expected = extend::derivative(
          [&](double value) {
            x[i] = value;
            return t.evaluate(inputs, lengths, targets).loss;
          },
          saved);
      x[i] = saved;
      worst = worse(worst, std::fabs(expected - computed[i]));
      largest = worse(largest, std::fabs(expected));
    }
    INFO(name << ": largest gradient " << largest << ", worst difference " << worst);
    CHECK(worst < 1e-6 * largest + 1e-9);
  };
  for (std::size_t i = 0; i < T::weights_of_head::count; ++i)
    compare(T::weights_of_head::tensors[i].name, t.head()[i], t.head_gradients()[i].data());
  for (const tensor_info& info : T::model::tensors)
    compare(info.name, w.numbers(info), t.gradients().numbers(info).data());
}
