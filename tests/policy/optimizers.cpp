// Optimizers and schedules against their formulas. (tests/parity holds AdamW against PyTorch over 200 steps.)
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

TEST_CASE("SGD with momentum and decay", "[policy]") {
  std::vector<double> w{1.0, -2.0, 0.5}, velocity(3);
  const std::vector<double> g{0.5, 0.25, -1.0};
  double* moments[] = {velocity.data()};
  const ctlm::sgd::options o{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f};
  double expected = 1.0, v = 0;
  for (std::size_t step = 1; step <= 5; ++step) {
    ctlm::sgd::apply(ctlm::native{}, 3, w.data(), g.data(), moments, o, {0.1, step, 0.5, true});
    v = static_cast<double>(0.9f) * v + (0.5 * 0.5 + static_cast<double>(0.01f) * expected);
    expected -= 0.1 * v;
    CHECK(w[0] == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("AdamW: the first step moves by the learning rate, decay is decoupled", "[policy]") {
  std::vector<double> w{1.0}, m(1), v(1);
  const std::vector<double> g{1e-3};
  double* moments[] = {m.data(), v.data()};
  const ctlm::adamw::options o{.eps = 1e-12f, .weight_decay = 0.1f};
  ctlm::adamw::apply(ctlm::native{}, 1, w.data(), g.data(), moments, o, {0.01, 1, 1.0, true});
  CHECK(w[0] == Approx(1.0 - 0.01 * 0.1 - 0.01).epsilon(1e-6));
  std::vector<double> plain{1.0}, m2(1), v2(1);
  double* other[] = {m2.data(), v2.data()};
  ctlm::adamw::apply(ctlm::native{}, 1, plain.data(), g.data(), other, o, {0.01, 1, 1.0, false});
  CHECK(plain[0] == Approx(1.0 - 0.01).epsilon(1e-6));
}

TEST_CASE("warm-up then cosine", "[policy]") {
  using S = ctlm::warmup_cosine;
  const S::options o{.warmup = 10, .total = 110, .min_lr = 1e-4f};
  const double least = static_cast<double>(1e-4f);
  CHECK(S::rate(o, 1e-3, 0) == Approx(1e-4));
  CHECK(S::rate(o, 1e-3, 9) == Approx(1e-3));
  CHECK(S::rate(o, 1e-3, 10) == Approx(1e-3));
  CHECK(S::rate(o, 1e-3, 60) == Approx((1e-3 + least) / 2));
  CHECK(S::rate(o, 1e-3, 110) == Approx(least));
  CHECK(S::rate(o, 1e-3, 100000) == Approx(least));
  for (std::size_t s = 10; s < 110; ++s) CHECK(S::rate(o, 1e-3, s + 1) < S::rate(o, 1e-3, s));
  CHECK(ctlm::constant_rate::rate({}, 1e-3, 77) == 1e-3);
}

namespace {

// What a code is by its definition: the nearest number, and of two the smaller one.
template <class T>
std::size_t nearest_by_distance(const ctlm::dynamic_codes<T>& codes, T x) {
  std::size_t nearest = 0;
  const auto distance = [&](std::size_t i) { return std::abs(x - static_cast<T>(codes.value(std::uint8_t(i)))); };
  for (std::size_t i = 1; i < 256; ++i)
    if (distance(i) < distance(nearest)) nearest = i;
  return nearest;
}

// Numbers whose code is easily wrong: those half-way between two codes, those that begin as no smaller one does, and
// their neighbours.
template <class T>
std::vector<T> hard_numbers(const ctlm::dynamic_codes<T>& codes) {
  std::vector<T> x{0, -T(0), std::numeric_limits<T>::denorm_min(), std::numeric_limits<T>::min()};
  for (std::size_t i = 0; i < 255; ++i)
    x.push_back((static_cast<T>(codes.value(std::uint8_t(i))) + static_cast<T>(codes.value(std::uint8_t(i + 1)))) / 2);
  for (int e = -30; e < 0; ++e)
    for (int i = 128; i < 256; ++i) x.push_back(std::ldexp(static_cast<T>(i), e - 7));
  for (std::size_t i = x.size(); i-- > 0;)
    for (const T to : {T(-2), T(2)}) {
      x.push_back(std::nextafter(x[i], to));
      x.push_back(std::nextafter(x.back(), to));
    }
  return x;
}

}  // namespace

TEMPLATE_TEST_CASE("codes of 8-bit moments are those of the nearest numbers", "[policy]", float, double) {
  const bool with_sign = GENERATE(true, false);
  const ctlm::dynamic_codes<TestType> codes(with_sign);
  for (std::size_t i = 0; i < 255; ++i) CHECK(codes.value(std::uint8_t(i)) < codes.value(std::uint8_t(i + 1)));
  auto x = hard_numbers(codes);
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-9, 0);
  for (int i = 0; i < 20000; ++i) x.push_back(static_cast<TestType>(std::pow(10, exponent(random))));
  std::size_t wrong = 0, checked = 0;
  for (const TestType magnitude : x)
    for (const TestType v : {magnitude, -magnitude}) {
      if (std::abs(v) > 1 || (v < 0 && !with_sign)) continue;
      ++checked;
      wrong += codes.nearest(v) != nearest_by_distance(codes, v);
    }
  CHECK(checked > 30000);
  CHECK(wrong == 0);
}

TEST_CASE("8-bit moments: a block and back, zeros, and what is not finite", "[policy]") {
  const ctlm::dynamic_codes<float> codes(true);
  std::vector<float> x{0.5f, -0.25f, 0, 1e-3f, -2}, back(5);
  std::vector<std::uint8_t> bytes(5);
  const float scale = codes.encode(x.size(), x.data(), bytes.data());
  CHECK(scale == 2);
  codes.decode(x.size(), bytes.data(), scale, back.data());
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(back[i] == Approx(x[i]).epsilon(0.05));
  CHECK(back[2] == 0);
  x.assign(5, 0);
  CHECK(codes.encode(5, x.data(), bytes.data()) == 0);
  codes.decode(5, bytes.data(), 0, back.data());
  CHECK(back == x);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  const float lost = codes.encode(5, x.data(), bytes.data());
  codes.decode(5, bytes.data(), lost, back.data());
  for (const float v : back) CHECK(std::isnan(v));
}
