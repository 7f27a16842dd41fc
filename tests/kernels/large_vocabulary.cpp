// The loss of a row of many logits is as exact in single precision as that of a few.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <vector>

using namespace ctlm;

TEMPLATE_TEST_CASE("the negative log likelihood of a large vocabulary", "[kernels]", portable, native) {
  constexpr std::size_t vocab = 150000;
  rng random{1};
  std::vector<float> logits(vocab);
  double total = 0;
  for (float& x : logits) {
    x = static_cast<float>(random.below(1 << 20)) / (1 << 18) - 2;  // -2 ... 2
    total += std::exp(static_cast<double>(x));
  }
  const double exact = std::log(total) - static_cast<double>(logits[7]);
  const float found = negative_log_likelihood(TestType{}, vocab, static_cast<const float*>(logits.data()), 7);
  CHECK(std::fabs(static_cast<double>(found) - exact) < 5e-6);
}
