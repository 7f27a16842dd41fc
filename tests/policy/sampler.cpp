// The choice of the next token.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <map>
#include <vector>

namespace {

const std::vector<float> logits{1.0f, 3.0f, 2.0f, -1.0f, 2.5f};

/// How often each token is drawn, out of n.
std::map<ctlm::token, double> frequencies(ctlm::sampler s, int n = 20000) {
  std::map<ctlm::token, double> count;
  for (int i = 0; i < n; ++i) {
    auto copy = logits;
    count[s.choose(ctlm::native{}, ctlm::span<float>(copy))] += 1.0 / n;
  }
  return count;
}

std::vector<double> probabilities(double temperature) {
  std::vector<double> p;
  double total = 0;
  for (float x : logits) {
    p.push_back(std::exp(static_cast<double>(x) / temperature));
    total += p.back();
  }
  for (double& x : p) x /= total;
  return p;
}

}  // namespace

TEST_CASE("temperature zero is greedy, the first of equals", "[policy]") {
  std::vector<float> x{0.5f, 2.0f, 2.0f, -1.0f};
  ctlm::sampler s;
  CHECK(s.choose(ctlm::native{}, ctlm::span<float>(x)) == 1);
  CHECK(x[2] == 2.0f);
}

TEST_CASE("sampling follows the distribution at its temperature", "[policy]") {
  for (float t : {0.7f, 1.0f, 2.0f}) {
    auto f = frequencies({.temperature = t, .seed = 3});
    const auto p = probabilities(static_cast<double>(t));
    for (std::size_t i = 0; i < p.size(); ++i) CHECK(f[static_cast<ctlm::token>(i)] == Approx(p[i]).margin(0.015));
  }
}

TEST_CASE("top-k keeps the k most likely tokens", "[policy]") {
  auto f = frequencies({.temperature = 1.0f, .top_k = 2, .seed = 1});
  CHECK(f.size() == 2);
  const auto p = probabilities(1);
  CHECK(f[1] == Approx(p[1] / (p[1] + p[4])).margin(0.015));
  CHECK(frequencies({.temperature = 1.0f, .top_k = 1}).size() == 1);
  CHECK(frequencies({.temperature = 1.0f, .top_k = 99}).size() == 5);
}

TEST_CASE("top-p keeps the fewest tokens that reach p", "[policy]") {
  // Probabilities 0.46, 0.28, 0.17, 0.06, 0.01.
  CHECK(frequencies({.temperature = 1.0f, .top_p = 0.4f}).size() == 1);
  CHECK(frequencies({.temperature = 1.0f, .top_p = 0.7f}).size() == 2);
  CHECK(frequencies({.temperature = 1.0f, .top_p = 0.9f}).size() == 3);
  CHECK(frequencies({.temperature = 1.0f, .top_k = 2, .top_p = 0.99f}).size() == 2);
}

TEST_CASE("a seed repeats its draws, another seed does not", "[policy]") {
  ctlm::sampler a{.temperature = 1.0f, .seed = 5}, b = a, c{.temperature = 1.0f, .seed = 6};
  int different = 0;
  for (int i = 0; i < 200; ++i) {
    auto x = logits, y = logits, z = logits;
    const auto t = a.choose(ctlm::native{}, ctlm::span<float>(x));
    REQUIRE(t == b.choose(ctlm::native{}, ctlm::span<float>(y)));
    different += t != c.choose(ctlm::native{}, ctlm::span<float>(z));
  }
  CHECK(different > 50);
}
