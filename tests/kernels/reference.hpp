// Plain loops in double, and finite differences: what kernels are held against.
#pragma once

#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <vector>

namespace reference {

template <class T>
std::vector<T> random(std::size_t n, std::uint64_t seed, double scale = 1) {
  ctlm::rng r{ctlm::mix(seed)};
  std::vector<T> x(n);
  for (auto& v : x) v = static_cast<T>(scale * r.normal());
  return x;
}

/// Largest difference of two arrays, relative to the largest number in the first.
template <class T, class U>
double difference(const std::vector<T>& expected, const std::vector<U>& actual) {
  double size = 1e-30, worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    size = worse(size, std::fabs(static_cast<double>(expected[i])));
    worst = worse(worst, std::fabs(static_cast<double>(expected[i]) - static_cast<double>(actual[i])));
  }
  return worst / size;
}

/// The gradient of `loss()` with respect to x, by central differences.
template <class Loss>
std::vector<double> gradient(std::vector<double>& x, Loss loss) {
  std::vector<double> g(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double saved = x[i], h = 1e-5;
    x[i] = saved + h;
    const double up = loss();
    x[i] = saved - h;
    const double down = loss();
    x[i] = saved;
    g[i] = (up - down) / (2 * h);
  }
  return g;
}

/// A fixed random projection to a number: the loss under which gradients are compared.
inline double project(const std::vector<double>& y, const std::vector<double>& dy) {
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
  return sum;
}

}  // namespace reference
