// Activation functions and their derivatives against PyTorch's in double (make_activation_values.py).
#include "catch.hpp"
#include "paths.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace ctlm;

namespace {

struct golden {
  std::vector<double> x, value, derivative;
};

golden read_golden(const std::string& wanted) {
  std::ifstream in(std::string(paths::source) + "/tests/policy/activation_values.txt");
  golden g;
  for (std::string line, name; std::getline(in, line);) {
    std::istringstream fields(line);
    double x = 0, value = 0, derivative = 0;
    fields >> name >> x >> value >> derivative;
    if (name != wanted) continue;
    g.x.push_back(x);
    g.value.push_back(value);
    g.derivative.push_back(derivative);
  }
  REQUIRE(g.x.size() > 50);
  return g;
}

template <class T>
std::vector<T> narrowed(const std::vector<double>& x) {
  std::vector<T> y;
  for (double v : x) y.push_back(static_cast<T>(v));
  return y;
}

/// Relative to the number itself where that is larger than 1, absolute elsewhere.
template <class T>
double difference(const std::vector<double>& expected, const std::vector<T>& actual) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    worst =
        worse(worst, std::fabs(static_cast<double>(actual[i]) - expected[i]) / std::fmax(1.0, std::fabs(expected[i])));
  return worst;
}

template <class F, class T, class Backend>
void check_function(const std::string& name, double limit) {
  const golden g = read_golden(name);
  const std::vector<T> x = narrowed<T>(g.x), ones(x.size(), T(1));
  std::vector<T> value(x.size()), derivative = x;
  serial exec;
  activation_forward(F{}, Backend{}, exec, 1, x.size(), x.data(), value.data());
  activation_backward(F{}, Backend{}, exec, 1, x.size(), ones.data(), derivative.data());
  CHECK(difference(g.value, value) < limit);
  CHECK(difference(g.derivative, derivative) < limit);
}

/// A function and its name in the file.
template <class F>
struct named {
  static std::string name() { return F::name; }
};
template <>
struct named<swish<17, 10>> {
  static std::string name() { return "swish_17_10"; }
};

}  // namespace

TEMPLATE_TEST_CASE("activation functions equal PyTorch's", "[policy]", relu, gelu, gelu_tanh, silu, (swish<17, 10>),
                   ctlm::tanh_activation, ctlm::sigmoid_activation) {
  const std::string name = named<TestType>::name();
  SECTION("double, portable") { check_function<TestType, double, portable>(name, 1e-12); }
  SECTION("double, native") { check_function<TestType, double, native>(name, 1e-12); }
  SECTION("single, portable") { check_function<TestType, float, portable>(name, 1e-6); }
  SECTION("single, native") { check_function<TestType, float, native>(name, 1e-6); }
}
