// Rows of a NaN, an infinity, or numbers whose squares overflow, in norms, activations and elementary functions.
#include "catch.hpp"

#include "reference.hpp"

#include <algorithm>
#include <limits>

using namespace ctlm;
using reference::difference;
using reference::random;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();
const float culprits[] = {not_a_number, -not_a_number, infinity, -infinity};

template <class T>
bool all_nan(const std::vector<T>& x) {
  return std::all_of(x.begin(), x.end(), [](T v) { return std::isnan(v); });
}

template <class T, class Norm, class Backend>
void check_norm(double size) {
  constexpr std::size_t n = 37;
  const auto w = random<T>(n, 2), dy = random<T>(n, 4), bias = random<T>(n, 5);
  std::vector<T> x(n), y(n), again(n), dx(n), dweight(n), dbias(n);
  std::vector<double> small(n), wd(w.begin(), w.end()), dyd(dy.begin(), dy.end()), bd(bias.begin(), bias.end());
  const auto shape = random<double>(n, 1);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = static_cast<T>(shape[i] * size);
    small[i] = static_cast<double>(x[i]) / size;
  }
  using statistics = typename Norm::template statistics<T>;
  const statistics s = Norm::forward(Backend{}, n, x.data(), w.data(), bias.data(), y.data(), 1e-5f);
  Norm::repeat(Backend{}, n, x.data(), w.data(), bias.data(), again.data(), s);
  CHECK(again == y);
  // The reference: the same row near one, without epsilon. Its gradient is larger by `size`.
  std::vector<double> expected(n), dexpected(n), dwexpected(n), dbexpected(n);
  const auto t = Norm::forward(portable{}, n, small.data(), wd.data(), bd.data(), expected.data(), 0.0f);
  CHECK(difference(expected, y) < 1e-5);
  Norm::backward_input(portable{}, n, small.data(), wd.data(), dyd.data(), dexpected.data(), t);
  Norm::backward_input(Backend{}, n, x.data(), w.data(), dy.data(), dx.data(), s);
  std::vector<double> scaled(n);
  for (std::size_t i = 0; i < n; ++i) scaled[i] = static_cast<double>(dx[i]) * size;
  CHECK(difference(dexpected, scaled) < 1e-5);
  Norm::backward_weight(portable{}, n, small.data(), dyd.data(), dwexpected.data(), dbexpected.data(), t);
  Norm::backward_weight(Backend{}, n, x.data(), dy.data(), dweight.data(), dbias.data(), s);
  CHECK(difference(dwexpected, dweight) < 1e-5);
}

template <class F, class T, class Backend>
void check_activation() {
  serial exec;
  const std::size_t n = 19;
  for (std::size_t at = 0; at < n; ++at) {
    const auto clean = random<T>(n, at);
    const std::vector<T> ones(n, T(1));
    auto x = clean;
    x[at] = std::numeric_limits<T>::quiet_NaN();
    std::vector<T> value(n), expected(n), slope = x, slopes = clean;
    activation_forward(F{}, Backend{}, exec, 1, n, clean.data(), expected.data());
    activation_forward(F{}, Backend{}, exec, 1, n, x.data(), value.data());
    activation_backward(F{}, Backend{}, exec, 1, n, ones.data(), slope.data());
    activation_backward(F{}, Backend{}, exec, 1, n, ones.data(), slopes.data());
    for (std::size_t i = 0; i < n; ++i) {
      CHECK((i == at ? std::isnan(value[i]) : value[i] == expected[i]));
      CHECK((i == at ? std::isnan(slope[i]) : slope[i] == slopes[i]));
    }
  }
  std::vector<T> x(n, std::numeric_limits<T>::infinity()), value(n);
  activation_forward(F{}, Backend{}, exec, 1, n, x.data(), value.data());
  for (T v : value) CHECK((v == T(1) || v == x[0]));
}

struct backends {
  template <class F>
  static void each(F f) {
    f(portable{});
    f(native{});
  }
};

}  // namespace

TEST_CASE("rows whose squares overflow are normalised, forward and backward", "[kernels]") {
  backends::each([](auto backend) {
    using A = decltype(backend);
    for (double size : {1e17, 1e18, 1e19, 1e20, 1e25, 1e30, 1e36}) {
      INFO(A::name << " " << size);
      check_norm<float, rms_norm, A>(size);
      check_norm<float, layer_norm, A>(size);
    }
    for (double size : {1e150, 1e160, 1e200, 1e300}) {
      check_norm<double, rms_norm, A>(size);
      check_norm<double, layer_norm, A>(size);
    }
  });
}

TEMPLATE_TEST_CASE("a row with a NaN or an infinity is normalised to NaN; tiny rows, to what epsilon leaves",
                   "[kernels]", rms_norm, layer_norm) {
  backends::each([](auto backend) {
    const std::size_t n = 21;
    const auto w = random<float>(n, 2);
    for (float culprit : culprits)
      for (std::size_t at = 0; at < n; ++at)
        for (double size : {1.0, 1e30}) {
          auto x = random<float>(n, 1, size);
          x[at] = culprit;
          std::vector<float> y(n);
          TestType::forward(backend, n, x.data(), w.data(), static_cast<const float*>(nullptr), y.data(), 1e-5f);
          CHECK(all_nan(y));
        }
    auto x = random<float>(n, 1, 1e-25);
    std::vector<float> y(n);
    TestType::forward(backend, n, x.data(), w.data(), static_cast<const float*>(nullptr), y.data(), 1e-5f);
    for (float v : y) CHECK(std::fabs(v) < 1e-20f);
  });
}

TEMPLATE_TEST_CASE("activation functions and their derivatives of NaN are NaN", "[kernels]", relu, gelu, gelu_tanh,
                   silu, (swish<17, 10>), ctlm::tanh_activation, ctlm::sigmoid_activation) {
  check_activation<TestType, float, portable>();
  check_activation<TestType, float, native>();
  check_activation<TestType, double, portable>();
  check_activation<TestType, double, native>();
}

TEST_CASE("elementary functions of NaN are NaN, of infinities their limits", "[kernels]") {
  namespace math = ctlm::math;
  auto check = [](auto zero) {
    using T = decltype(zero);
    const T bad = std::numeric_limits<T>::quiet_NaN(), high = std::numeric_limits<T>::infinity();
    for (T x : {bad, -bad}) {
      CHECK(std::isnan(math::exp(x)));
      CHECK(std::isnan(math::log(x)));
      CHECK(std::isnan(math::sqrt(x)));
      CHECK(std::isnan(math::tanh(x)));
      CHECK(std::isnan(math::erf(x)));
      CHECK(std::isnan(math::abs(x)));
    }
    CHECK(math::exp(high) == high);
    CHECK(math::exp(-high) == T(0));
    CHECK(math::log(high) == high);
    CHECK(math::sqrt(high) == high);
    CHECK(math::tanh(-high) == T(-1));
    CHECK(math::erf(high) == T(1));
    const T numbers[] = {T(-2), T(1), T(0)};
    CHECK(math::all_finite(3, numbers));
    for (T x : {bad, high, -high}) {
      const T not_all[] = {T(1), x, T(0)};
      CHECK_FALSE(math::all_finite(3, not_all));
    }
  };
  check(0.0f);
  check(0.0);
  for (double x : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e300}) {
    CHECK(std::isnan(math::sin(x)));
    CHECK(std::isnan(math::cos(x)));
  }
}
