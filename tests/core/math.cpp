// Elementary functions against the C library's, in units of the result, and in constant expressions.
#include "catch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>

namespace {

namespace math = ctlm::math;

/// Largest relative difference of two functions over [low, high].
template <class T, class F, class G>
double worst(double low, double high, F ours, G theirs) {
  double worst = 0;
  for (int i = 0; i <= 200000; ++i) {
    const T x = static_cast<T>(low + (high - low) * i / 200000.0);
    const double expected = theirs(static_cast<double>(x));
    if (std::fabs(expected) < 1e-300) continue;
    worst = worse(worst, std::fabs(static_cast<double>(ours(x)) / expected - 1));
  }
  return worst;
}

template <class T>
void check_accuracy(double limit) {
  auto at = [](double (*f)(double)) { return [f](double x) { return f(x); }; };
  CHECK(worst<T>(
            -80, 80, [](T x) { return math::exp(x); }, at(std::exp)) < limit);
  CHECK(worst<T>(
            1e-6, 1e-3, [](T x) { return math::log(x); }, at(std::log)) < limit);
  CHECK(worst<T>(
            1.001, 1e6, [](T x) { return math::log(x); }, at(std::log)) < 4 * limit);
  CHECK(worst<T>(
            0, 1e6, [](T x) { return math::sqrt(x); }, at(std::sqrt)) < limit);
  CHECK(worst<T>(
            -9, 9, [](T x) { return math::tanh(x); }, at(std::tanh)) < 4 * limit);
  CHECK(worst<T>(
            -4, 4, [](T x) { return math::erf(x); }, at(std::erf)) < 12 * limit);
}

}  // namespace

TEST_CASE("exp, log, sqrt, tanh and erf agree with the C library", "[core]") {
  check_accuracy<float>(2.5e-7);
  check_accuracy<double>(1e-15);
}

TEST_CASE("sine and cosine stay accurate for large angles", "[core]") {
  double worst_sine = 0, worst_cosine = 0;
  for (int i = -100000; i <= 100000; ++i) {
    const double x = i * 0.317;
    worst_sine = worse(worst_sine, std::fabs(math::sin(x) - std::sin(x)));
    worst_cosine = worse(worst_cosine, std::fabs(math::cos(x) - std::cos(x)));
  }
  CHECK(worst_sine < 1e-14);
  CHECK(worst_cosine < 1e-14);
}

TEST_CASE("limits of the elementary functions", "[core]") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(math::exp(-200.0f) == 0.0f);
  CHECK(math::exp(200.0f) == infinity);
  CHECK(math::exp(0.0f) == 1.0f);
  CHECK(math::log(0.0f) == -infinity);
  CHECK(std::isnan(math::log(-1.0f)));
  CHECK(std::isnan(math::exp(std::nanf(""))));
  CHECK(math::tanh(50.0f) == 1.0f);
  CHECK(math::tanh(-50.0f) == -1.0f);
  CHECK(math::erf(10.0) == 1.0);
  CHECK(math::sqrt(0.0f) == 0.0f);
  CHECK(math::exp(-87.5f) > 0.0f);
  CHECK(math::exp(-745.0) > 0.0);
}

TEST_CASE("elementary functions are constant expressions with the bits of run time", "[core]") {
  constexpr float roots[] = {math::sqrt(2.0f), math::sqrt(3.0f), math::sqrt(1e-20f), math::sqrt(7e19f)};
  CHECK(roots[0] == std::sqrt(2.0f));
  CHECK(roots[1] == std::sqrt(3.0f));
  CHECK(roots[2] == std::sqrt(1e-20f));
  CHECK(roots[3] == std::sqrt(7e19f));
  static_assert(math::exp(1.0) > 2.718281828459044 && math::exp(1.0) < 2.718281828459046);
  static_assert(math::cos(0.0) == 1.0 && math::sin(0.0) == 0.0);
}

TEST_CASE("random numbers repeat, and are uniform and normal", "[core]") {
  ctlm::rng a{7}, b{7};
  double mean = 0, square = 0, uniform = 0;
  const int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = a.normal();
    REQUIRE(x == b.normal());
    mean += x / n;
    square += x * x / n;
    const double u = a.uniform();
    b.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    uniform += u / n;
  }
  CHECK(std::fabs(mean) < 0.01);
  CHECK(std::fabs(square - 1) < 0.02);
  CHECK(std::fabs(uniform - 0.5) < 0.005);
}
