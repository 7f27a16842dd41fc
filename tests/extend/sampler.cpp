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

/// A rule for rule_sampler: tokens less likely than a part of the most likely one's probability squared are left out
/// ("top-a").
struct top_a {
  float part = 0.2f;

  template <class Left>
  constexpr void narrow(Left& left) const {
    const double most = 1 / left.total();  // the probability of the most likely token, whose mass is 1
    const double least = ctlm::math::log(static_cast<double>(part) * most) / left.sharpness();
    left.keep(left.highest() + static_cast<float>(least), left.highest());
  }
};
/// Another: every second choice is the most likely token.
struct sober_every_second {
  int drawn = 0;

  constexpr void took(ctlm::token, bool was_drawn) { drawn += was_drawn; }
  template <class Left>
  constexpr void narrow(Left& left) const {
    if (drawn % 2 == 1) left.take_first();
  }
};
/// Another, which changes logits: odd tokens are never chosen.
struct even {
  template <class Backend, class T>
  constexpr void adjust(Backend, ctlm::span<T> logits) const {
    for (std::size_t t = 1; t < logits.size(); t += 2) logits[t] = -std::numeric_limits<T>::infinity();
  }
};

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

TEST_CASE("rules of the user's own beside the library's, in a rule_sampler", "[extend]") {
  const std::vector<float> logits{2.0f, 9.0f, 1.0f, 3.0f, -1.0f, 0.0f, 2.5f};
  ctlm::rule_sampler how{{.seed = 3}, even{}, ctlm::temperature{0.9f}, top_a{}, sober_every_second{}};
  // Of 2, 1, -1 and 2.5 the probabilities are 0.314, 0.104, 0.011 and 0.571: 0.2 * 0.571^2 is 0.065.
  std::vector<int> count(logits.size());
  for (int i = 0; i < 4000; ++i) {
    auto x = logits;
    const auto t = static_cast<std::size_t>(how.choose(ctlm::native{}, ctlm::span<float>(x)));
    ++count[t];
    if (i % 2 == 1) REQUIRE(t == 6);
  }
  CHECK(count[1] + count[3] + count[4] + count[5] == 0);
  const double all = 0.314 + 0.104 + 0.571;
  CHECK(count[0] == Approx(2000 * 0.314 / all).margin(100));
  CHECK(count[2] == Approx(2000 * 0.104 / all).margin(70));
  CHECK(count[6] == Approx(2000 + 2000 * 0.571 / all).margin(100));
}
