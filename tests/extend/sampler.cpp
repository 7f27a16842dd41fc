// A sampler's rule of your own: it changes the logits, and hands them to a sampler.
#include "extend/differences.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>

namespace {

/// Makes tokens less likely that were chosen a short while ago: their logits are divided by `penalty`, or multiplied
/// where they are negative (Keskar et al. 2019, "CTRL").
struct penalised_repetition {
  static constexpr std::size_t window = 8;  // tokens that are remembered

  ctlm::sampler then{};  // chooses among what the rule leaves
  float penalty = 1.2f;
  ctlm::token stop = ctlm::sampler::no_stop;  // generation ends here
  ctlm::token recent[window] = {-1, -1, -1, -1, -1, -1, -1, -1};
  std::size_t chosen = 0;

  template <class Backend, class T>
  constexpr ctlm::token choose(Backend backend, ctlm::span<T> logits) {
    for (ctlm::token t : recent) {
      if (t < 0) continue;
      T& x = logits[static_cast<std::size_t>(t)];
      x = x > T(0) ? x / T(penalty) : x * T(penalty);
    }
    return recent[chosen++ % window] = then.choose(backend, logits);
  }
};
static_assert(ctlm::sampler_policy<penalised_repetition>);

using lm = ctlm::causal_lm<models::tiny_llama>;

std::vector<ctlm::token> text_of(auto& how) {
  models::running<lm> running;
  models::randomise<lm>(running.weights, 0.5);
  const ctlm::token prompt[] = {5, 9};
  std::vector<ctlm::token> text;
  ctlm::generate(running.session, prompt, how, 30, [&](ctlm::token t) { text.push_back(t); });
  return text;
}

}  // namespace

TEST_CASE("a sampler's rule of the user's own: logits, by hand", "[extend]") {
  penalised_repetition how{.penalty = 2.0f};
  auto choose = [&](std::vector<float> logits) { return how.choose(ctlm::native{}, ctlm::span<float>(logits)); };
  CHECK(choose({1.0f, 3.0f, 2.0f}) == 1);
  CHECK(choose({1.0f, 3.0f, 2.0f}) == 2);     // 3 counts as 1.5
  CHECK(choose({1.2f, 3.0f, 2.0f}) == 1);     // 1.5 and 1 are left of 3 and 2
  CHECK(choose({-1.5f, -1.0f, -0.8f}) == 0);  // the others' are -4 and -1.6
}

TEST_CASE("a sampler's rule of the user's own: generate follows it", "[extend]") {
  ctlm::sampler plain;
  penalised_repetition without{.penalty = 1.0f}, with{.penalty = 1e6f};
  const auto usual = text_of(plain), varied = text_of(with);
  CHECK(text_of(without) == usual);
  CHECK(varied != usual);
  REQUIRE(varied.size() == 30);
  for (std::size_t i = 0; i < varied.size(); ++i) {
    const auto from = varied.begin() + static_cast<std::ptrdiff_t>(i < 8 ? 0 : i - 8);
    const auto here = varied.begin() + static_cast<std::ptrdiff_t>(i);
    CHECK(std::find(from, here, *here) == here);
  }
}

TEST_CASE("a sampler's rule of the user's own: generation ends at its stop token", "[extend]") {
  penalised_repetition endless{};
  const auto text = text_of(endless);
  penalised_repetition how{.stop = text[4]};
  const auto end = std::find(text.begin(), text.end(), text[4]);
  CHECK(text_of(how) == std::vector<ctlm::token>(text.begin(), end));
}
