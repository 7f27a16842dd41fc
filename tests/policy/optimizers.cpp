// Optimizers and schedules against their formulas. (tests/parity holds AdamW against PyTorch over 200 steps.)
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
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
