// Logits after every token of a text: the head works on many rows at once.
#include "catch.hpp"

#include "models.hpp"

#include <cmath>
#include <vector>

using namespace ctlm;
using namespace models;

TEMPLATE_TEST_CASE("scoring gives each token the logits that the session has after it", "[model]",
                   (causal_lm<tiny_llama, prompt_chunk<24>>), (causal_lm<tiny_llama, weights<f64>, prompt_chunk<24>>),
                   (causal_lm<tiny_llama, weights<bf16>, prompt_chunk<24>>),
                   (causal_lm<tiny_llama, weights<int8<>>, prompt_chunk<24>>),
                   (causal_lm<tiny_llama, weights<int4<32>>, prompt_chunk<24>>),
                   (causal_lm<tiny_llama, weights<int4<32, asymmetric>>, compute<decoded>, prompt_chunk<24>>),
                   (causal_lm<tiny_gpt2, weights<int8<>, keep<f16, tensors::embedding>>, prompt_chunk<24>>),
                   (causal_lm<tiny_gpt2, weights<int8<32>>, backend<portable>, prompt_chunk<24>>),
                   (causal_lm<tiny_llama, backend<portable>, prompt_chunk<7>>)) {
  using real = typename TestType::real;
  running<TestType> a, b;
  randomise<TestType>(a.weights);
  randomise<TestType>(b.weights);
  const auto tokens = random_tokens(26, 61);
  for (std::size_t n = 1; n <= tokens.size(); ++n) {
    const auto text = span<const token>(tokens).first(n);
    std::vector<real> last;
    std::size_t calls = 0;
    a.session.reset();
    a.session.score(text, [&](std::size_t i, span<real> logits) {
      REQUIRE(i == calls++);
      last.assign(logits.begin(), logits.end());
      for (auto& x : logits) x = real(7);  // they may be overwritten
    });
    REQUIRE(calls == n);
    b.session.reset();
    const auto alone = b.session.prefill(text);
    const auto again = a.session.logits();
    // Sums of integers have the same bits; those of a few rows of floating-point numbers are made in another order.
    constexpr bool exact = std::same_as<typename TestType::weight_format, int8<>> ||
                           (std::same_as<typename TestType::weight_format, int4<32>>);
    const double bound = exact ? 0.0 : std::same_as<real, double> ? 1e-14 : 4e-6;
    for (std::size_t t = 0; t < last.size(); ++t) {
      REQUIRE(std::fabs(static_cast<double>(last[t]) - static_cast<double>(alone[t])) <= bound);
      REQUIRE(again[t] == alone[t]);
    }
  }
}
