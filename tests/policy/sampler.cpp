// The choice of the next token.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <limits>
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

TEST_CASE("a temperature that cannot be divided by, and no probability, are greedy", "[policy]") {
  for (const auto& options :
       {ctlm::sampler{.temperature = 1e-38f}, ctlm::sampler{.temperature = 1e-45f},
        ctlm::sampler{.temperature = 3e-38f}, ctlm::sampler{.temperature = -1.0f},
        ctlm::sampler{.temperature = 1.0f, .top_p = 0.0f}, ctlm::sampler{.temperature = 1.0f, .top_p = -2.0f},
        ctlm::sampler{.temperature = 1.0f, .top_p = 1e-45f}}) {
    auto s = options;
    for (int i = 0; i < 20; ++i) {
      auto x = logits;
      CHECK(s.choose(ctlm::native{}, ctlm::span<float>(x)) == 1);
      x = logits;
      CHECK(s.choose(ctlm::portable{}, ctlm::span<float>(x)) == 1);
    }
  }
  CHECK(frequencies({.temperature = 1.0f, .top_p = 7.0f}).size() == 5);
}

TEST_CASE("logits beyond all others: plus infinity is chosen, minus infinity never", "[policy]") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (float temperature : {0.0f, 1.0f}) {
    ctlm::sampler s{.temperature = temperature, .top_k = 4, .top_p = 0.99f};
    std::map<ctlm::token, int> drawn;
    for (int i = 0; i < 200; ++i) {
      std::vector<float> x{1.0f, infinity, 3e38f, infinity, -infinity};
      CHECK(s.choose(ctlm::native{}, ctlm::span<float>(x)) == 1);
      x = {-infinity, 0.5f, -infinity, 0.25f, -infinity, -infinity, -infinity, -infinity, -infinity};
      ++drawn[s.choose(ctlm::native{}, ctlm::span<float>(x))];
      x = {-3e38f, -3.1e38f, -infinity};
      CHECK(s.choose(ctlm::native{}, ctlm::span<float>(x)) == 0);
    }
    CHECK(drawn.size() == (temperature > 0 ? 2 : 1));
    CHECK(drawn[1] > 50);
    CHECK(drawn[1] + drawn[3] == 200);
  }
}

#if CTLM_EXCEPTIONS
TEST_CASE("a sampler refuses what has no answer, in words", "[policy]") {
  const float infinity = std::numeric_limits<float>::infinity(), not_a_number = std::nanf("");
  auto choose = [](ctlm::sampler s, std::vector<float> x) { return s.choose(ctlm::native{}, ctlm::span<float>(x)); };
  for (float temperature : {0.0f, 0.8f}) {
    for (std::size_t n : {1, 3, 40})
      for (std::size_t at = 0; at < n; ++at) {
        std::vector<float> x(n, 0.5f);
        x[at] = not_a_number;
        x[n - 1 - at] = n - 1 - at == at ? not_a_number : -infinity;
        CHECK_THROWS_WITH(choose({.temperature = temperature}, x),
                          "ctlm: logit " + std::to_string(at) + " is not a number");
      }
    CHECK_THROWS_WITH(choose({.temperature = temperature}, {not_a_number, infinity}), "ctlm: logit 0 is not a number");
    CHECK_THROWS_WITH(choose({.temperature = temperature}, {-infinity, -infinity, -infinity}),
                      "ctlm: all 3 logits are -infinity: there is no token to choose");
    CHECK_THROWS_WITH(choose({.temperature = temperature}, {}), "ctlm: there are no logits to choose a token from");
    CHECK_THROWS_WITH(choose({.temperature = temperature, .top_p = not_a_number}, logits),
                      "ctlm: a sampler's top_p must be a number, not NaN");
  }
  for (float t : {not_a_number, infinity, -infinity})
    CHECK_THROWS_WITH(choose({.temperature = t}, logits), "ctlm: a sampler's temperature must be a finite number");
}
#endif
