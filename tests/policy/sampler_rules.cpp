// The rules of sampling: what they leave of a vocabulary, beside transformers' (sampler_rules.txt) and beside a
// straightforward search in double precision; which tokens are drawn then.
#include "catch.hpp"
#include "paths.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <utility>
#include <vector>

using namespace ctlm;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// ---- stored results ------------------------------------------------------------------------------------------------

struct stored_rule {
  std::string name;
  std::vector<float> numbers;
};
struct stored_case {
  std::vector<stored_rule> rules;
  std::vector<token> prompt, drawn;
  std::vector<float> logits;
  std::vector<double> probabilities;
};

template <class T>
std::vector<T> numbers_of(std::istringstream& line) {
  std::vector<T> all;
  for (std::string word; line >> word;) all.push_back(static_cast<T>(std::stod(word)));
  return all;
}

std::vector<stored_case> stored_cases() {
  std::ifstream file(std::string(paths::source) + "/tests/policy/sampler_rules.txt");
  std::vector<stored_case> cases(1);
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string name;
    if (!(line >> name)) {
      cases.emplace_back();
    } else if (name == "prompt") {
      cases.back().prompt = numbers_of<token>(line);
    } else if (name == "drawn") {
      cases.back().drawn = numbers_of<token>(line);
    } else if (name == "logits") {
      cases.back().logits = numbers_of<float>(line);
    } else if (name == "probabilities") {
      cases.back().probabilities = numbers_of<double>(line);
    } else {
      cases.back().rules.push_back({name, numbers_of<float>(line)});
    }
  }
  return cases;
}

/// Applies a rule by its name.
template <class T>
void adjust(const stored_rule& r, const stored_case& c, std::vector<T>& logits) {
  const span<T> x(logits);
  const token t = r.numbers.empty() ? 0 : static_cast<token>(r.numbers[0]);
  if (r.name == "penalties") {
    penalties<64> rule{.repetition = r.numbers[0], .frequency = r.numbers[1], .presence = r.numbers[2]};
    for (token p : c.prompt) rule.took(p, false);
    for (token d : c.drawn) rule.took(d, true);
    rule.adjust(portable{}, x);
  } else if (r.name == "bias") {
    const token_bias list[] = {{t, r.numbers[1]}};
    logit_bias{list}.adjust(portable{}, x);
  } else if (r.name == "banned") {
    banned{span<const token>(&t, 1)}.adjust(portable{}, x);
  }
}
template <class Left>
void narrow(const stored_rule& r, Left& left) {
  if (r.name == "temperature") temperature{r.numbers[0]}.narrow(left);
  if (r.name == "top_k") top_k{static_cast<std::size_t>(r.numbers[0])}.narrow(left);
  if (r.name == "top_p") top_p{r.numbers[0]}.narrow(left);
  if (r.name == "min_p") min_p{r.numbers[0]}.narrow(left);
  if (r.name == "typical") typical{r.numbers[0]}.narrow(left);
}

/// The probabilities of all tokens among those that are left.
template <class T, class Backend>
std::vector<double> probabilities_of(const token_candidates<T, Backend>& left, std::size_t vocab) {
  std::vector<double> p(vocab, 0.0);
  const double total = left.total();  // which reads the vocabulary
  left.for_each([&](std::size_t t, T logit) { p[t] = static_cast<double>(left.mass_of(logit)) / total; });
  return p;
}

template <class T, class Backend>
void check_stored(const stored_case& c) {
  std::vector<T> logits(c.logits.begin(), c.logits.end());
  for (const auto& r : c.rules) adjust(r, c, logits);
  token_candidates<T, Backend> left{span<const T>(logits)};
  for (const auto& r : c.rules) narrow(r, left);
  const auto p = probabilities_of(left, logits.size());
  for (std::size_t t = 0; t < p.size(); ++t) {
    INFO(c.rules.back().name << " " << c.rules.back().numbers[0] << ", token " << t);
    CHECK((p[t] == 0) == (c.probabilities[t] == 0));
    CHECK(p[t] == Approx(c.probabilities[t]).epsilon(2e-6).margin(1e-9));
  }
}

// ---- a straightforward search --------------------------------------------------------------------------------------

/// The rules in double precision, by sorting; equals stay together.
struct plain_rules {
  std::vector<double> x;
  std::vector<char> left = std::vector<char>(x.size(), 1);
  double sharpness = 1;
  bool close = false;  // a decision that rounding may change

  std::vector<double> masses() const {
    const double peak = *std::max_element(x.begin(), x.end());
    std::vector<double> m(x.size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (left[i]) m[i] = std::exp((x[i] - peak) * sharpness);
    return m;
  }
  /// Keeps what comes first by `key`, from the largest on, until `enough` of it is kept, and all that tie with the
  /// last.
  template <class Key, class Enough>
  void keep_first(Key key, Enough enough, double tie) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (left[i]) order.emplace_back(key(i), i);
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::size_t n = 0;
    while (n < order.size() && !enough(order[n].second)) ++n;
    n = std::min(n + 1, order.size());
    const double last = order[n - 1].first;
    if (n < order.size() && order[n].first != last && last - order[n].first < tie) close = true;
    while (n < order.size() && order[n].first == last) ++n;
    for (; n < order.size(); ++n) left[order[n].second] = 0;
  }
  void keep_count(std::size_t k) {
    std::size_t n = 0;
    keep_first([&](std::size_t i) { return x[i]; }, [&](std::size_t) { return ++n >= k; }, 0);
  }
  template <class Key>
  void keep_part(double part, Key key, double tie) {
    const auto m = masses();
    const double all = std::accumulate(m.begin(), m.end(), 0.0);
    double sum = 0;
    keep_first(
        key,
        [&](std::size_t i) {
          sum += m[i];
          close = close || std::fabs(sum - part * all) < 4e-6 * all;
          return sum >= part * all;
        },
        tie);
  }
  void top_p(double part) {
    if (part < 1)
      keep_part(
          part, [&](std::size_t i) { return x[i]; }, 0);
  }
  void min_p(double part) {
    double most = -infinity;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (left[i]) most = std::max(most, x[i]);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double ratio = std::exp((x[i] - most) * sharpness);
      close = close || (part < 1 && std::fabs(ratio - part) < 4e-6 * part);
      if (ratio < part) left[i] = 0;
    }
  }
  void typical(double part) {
    if (part >= 1) return;
    const auto m = masses();
    const double all = std::accumulate(m.begin(), m.end(), 0.0);
    double entropy = 0;
    for (double p : m)
      if (p > 0) entropy -= p / all * std::log(p / all);
    keep_part(
        part, [&](std::size_t i) { return m[i] > 0 ? -std::fabs(-std::log(m[i] / all) - entropy) : -infinity; }, 1e-4);
  }
};

/// Logits of many kinds.
std::vector<float> some_logits(rng& r) {
  const std::size_t n = r.below(4) == 0 ? 1000 + r.below(6000) : 1 + r.below(300);
  std::vector<float> x(n);
  const double spread = 0.1 + 4 * r.uniform();
  const auto kind = r.below(6);
  for (auto& v : x) {
    v = static_cast<float>(r.normal() * spread);
    if (kind == 0) v = std::round(v);  // ties
    if (kind == 1) v = 2.5f;           // all equal
    if (kind == 2 && r.below(3) == 0) v = -std::numeric_limits<float>::infinity();
    if (kind == 3) v = -v * v;
    if (kind == 4) v *= 30;
  }
  if (kind == 2) x[r.below(n)] = 1.0f;
  return x;
}

struct rule_choice {
  int kind;
  float number;
};
std::vector<rule_choice> some_rules(rng& r) {
  std::vector<rule_choice> rules;
  for (std::size_t n = 1 + r.below(4); n > 0; --n) {
    const auto u = static_cast<float>(r.uniform());
    const int kind = static_cast<int>(r.below(5));
    rules.push_back({kind, kind == 0   ? 0.3f + 2 * u
                           : kind == 1 ? static_cast<float>(1 + r.below(400))
                           : kind == 3 ? u * u * u
                                       : 0.02f + 0.98f * u});
  }
  return rules;
}

template <class Left>
void apply(const rule_choice& c, Left& left) {
  if (c.kind == 0) temperature{c.number}.narrow(left);
  if (c.kind == 1) top_k{static_cast<std::size_t>(c.number)}.narrow(left);
  if (c.kind == 2) top_p{c.number}.narrow(left);
  if (c.kind == 3) min_p{c.number}.narrow(left);
  if (c.kind == 4) typical{c.number}.narrow(left);
}
void apply(const rule_choice& c, plain_rules& plain) {
  if (c.kind == 0) plain.sharpness /= static_cast<double>(c.number);
  if (c.kind == 1) plain.keep_count(static_cast<std::size_t>(c.number));
  if (c.kind == 2) plain.top_p(static_cast<double>(c.number));
  if (c.kind == 3) plain.min_p(static_cast<double>(c.number));
  if (c.kind == 4) plain.typical(static_cast<double>(c.number));
}

template <class Backend>
token choose(auto how, std::vector<float> x) {
  return how.choose(Backend{}, span<float>(x));
}

constexpr token chosen_while_compiling() {
  float x[] = {0.5f, 3.0f, 2.0f, 2.9f, -1.0f};
  rule_sampler how{
      {.seed = 3},  penalties<4>{.repetition = 2.0f}, temperature{0.7f}, top_k{3}, top_p{0.9f}, min_p{0.1f},
      typical{0.9f}};
  const token prompt[] = {1, 2};
  how.take(prompt);
  return how.choose(portable{}, span<float>(x));
}

/// A rule of a user's own: the most likely token, and how many tokens came by.
struct counts {
  int prompt = 0, drawn = 0;
  constexpr void took(token, bool was_drawn) { ++(was_drawn ? drawn : prompt); }
  template <class Left>
  constexpr void narrow(Left& left) const {
    left.take_first();
  }
};
struct tag {
  static constexpr gpt2_config config{.vocab = 20, .d_model = 16, .layers = 1, .heads = 2, .context = 16};
};

}  // namespace

TEST_CASE("rules of sampling leave the probabilities that transformers' leave", "[policy]") {
  const auto cases = stored_cases();
  REQUIRE(cases.size() > 50);
  for (const auto& c : cases) {
    REQUIRE(c.logits.size() == 60);
    check_stored<float, native>(c);
    check_stored<float, portable>(c);
    check_stored<double, native>(c);
  }
}

TEST_CASE("rules of sampling leave the tokens that a search in double precision leaves", "[policy]") {
  int compared = 0, narrowed = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    rng r{mix(seed)};
    const auto x = some_logits(r);
    const auto rules = some_rules(r);
    plain_rules plain{{x.begin(), x.end()}};
    token_candidates<float, native> left{span<const float>(x)};
    token_candidates<float, portable> also{span<const float>(x)};
    for (const auto& rule : rules) {
      apply(rule, plain);
      apply(rule, left);
      apply(rule, also);
    }
    const auto p = probabilities_of(left, x.size());
    REQUIRE(p == probabilities_of(also, x.size()));
    if (plain.close) continue;
    ++compared;
    std::vector<char> is_left(x.size(), 0);
    left.for_each([&](std::size_t t, float) { is_left[t] = 1; });
    INFO("seed " << seed << ", " << x.size() << " logits, rule " << rules[0].kind << " " << rules[0].number);
    REQUIRE(is_left == plain.left);
    narrowed += std::count(is_left.begin(), is_left.end(), 0) > 0;
    const auto m = plain.masses();
    const double all = std::accumulate(m.begin(), m.end(), 0.0);
    for (std::size_t t = 0; t < p.size(); ++t)
      if (std::fabs(p[t] - m[t] / all) > 1e-5 * m[t] / all + 1e-12) REQUIRE(p[t] == m[t] / all);
  }
  CHECK(compared > 3000);
  CHECK(narrowed > 2000);
}

TEST_CASE("tokens are drawn as often as they are probable, one after the other", "[policy]") {
#if CTLM_FEW_TRIALS  // under an emulator or a sanitizer: minutes
  constexpr std::uint64_t seeds = 12;
#else
  constexpr std::uint64_t seeds = 60;
#endif
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    rng r{mix(seed)};
    const auto x = some_logits(r);
    token_candidates<float, native> left{span<const float>(x)};
    temperature{0.5f + static_cast<float>(r.uniform())}.narrow(left);
    if (seed % 3 == 0) top_k{20}.narrow(left);
    if (seed % 3 == 1) top_p{0.9f}.narrow(left);
    const auto p = probabilities_of(left, x.size());
    constexpr int n = 20000;
    std::vector<int> count(x.size(), 0);
    token last = 0;
    for (int i = 0; i < n; ++i) {
      const auto drawn = left.draw((i + 0.5) / n);
      REQUIRE(drawn.chosen >= last);
      last = drawn.chosen;
      ++count[static_cast<std::size_t>(last)];
      REQUIRE(drawn.probability == Approx(p[static_cast<std::size_t>(last)]));
    }
    for (std::size_t t = 0; t < p.size(); ++t)
      if (std::fabs(count[t] - n * p[t]) > 1.01 + n * 1e-5) REQUIRE(count[t] == n * p[t]);
  }
}

TEST_CASE("draws of all rules together follow their distribution, by chi-square", "[policy]") {
  rng r{5};
  std::vector<float> x(2000);
  for (auto& v : x) v = static_cast<float>(r.normal() * 2);
  const auto rules = [](std::uint64_t seed) {
    return rule_sampler{{.seed = seed}, temperature{0.9f}, top_k{60}, top_p{0.95f}, min_p{0.02f}, typical{0.95f}};
  };
  plain_rules plain{{x.begin(), x.end()}};
  for (const auto& c : {rule_choice{0, 0.9f}, {1, 60}, {2, 0.95f}, {3, 0.02f}, {4, 0.95f}}) apply(c, plain);
  REQUIRE(!plain.close);
  const auto m = plain.masses();
  const double all = std::accumulate(m.begin(), m.end(), 0.0);
  auto how = rules(1), same = rules(1), other = rules(2);
  constexpr int n = 40000;
  std::vector<double> count(x.size(), 0.0);
  int different = 0;
  for (int i = 0; i < n; ++i) {
    const token t = how.choose(native{}, span<float>(x));
    count[static_cast<std::size_t>(t)] += 1;
    if (i < 500) REQUIRE(t == same.choose(portable{}, span<float>(x)));
    if (i < 500) different += t != other.choose(native{}, span<float>(x));
  }
  CHECK(different > 100);
  double chi = 0;
  int kinds = 0;
  for (std::size_t t = 0; t < x.size(); ++t) {
    if (!plain.left[t]) REQUIRE(count[t] == 0);
    if (m[t] == 0) continue;
    const double expected = n * m[t] / all;
    chi += (count[t] - expected) * (count[t] - expected) / expected;
    ++kinds;
  }
  REQUIRE(kinds > 15);
  CHECK(chi < kinds + 4 * std::sqrt(2.0 * kinds));
}

TEST_CASE("a vocabulary of 262144 tokens: the same choices on every backend", "[policy]") {
  rng r{9};
  std::vector<float> x(262144);
  for (auto& v : x) v = static_cast<float>(r.normal() * 3);
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const auto check = [&](auto how) { REQUIRE(choose<native>(how, x) == choose<portable>(how, x)); };
    check(sampler{.temperature = 0.8f, .seed = seed});
    check(sampler{.temperature = 0.8f, .top_p = 0.95f, .seed = seed});
    check(sampler{.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .seed = seed});
    check(sampler{.temperature = 1.5f, .top_k = 3000, .seed = seed});
    check(rule_sampler{{.seed = seed}, typical{0.5f}});
    check(rule_sampler{{.seed = seed}, min_p{0.1f}});
  }
}

TEST_CASE("rules of sampling: ends of their numbers", "[policy]") {
  const float none = -std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::infinity();
  const std::vector<float> x{1.0f, 3.0f, none, 3.0f, -1.0f};
  auto left = [&](auto... rules) {
    std::vector<token> tokens;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      const token t = choose<native>(rule_sampler{{.seed = seed}, rules...}, x);
      if (std::find(tokens.begin(), tokens.end(), t) == tokens.end()) tokens.push_back(t);
    }
    std::sort(tokens.begin(), tokens.end());
    return tokens;
  };
  using tokens = std::vector<token>;
  CHECK(left() == tokens{0, 1, 3, 4});
  CHECK(left(top_k{0}) == tokens{0, 1, 3, 4});
  CHECK(left(top_k{99}) == tokens{0, 1, 3, 4});
  CHECK(left(top_k{1}) == tokens{1, 3});  // they tie
  CHECK(left(top_k{3}) == tokens{0, 1, 3});
  CHECK(left(temperature{0}) == tokens{1});  // the first of equals
  CHECK(left(temperature{-1}) == tokens{1});
  CHECK(left(temperature{1e-40f}) == tokens{1});
  CHECK(left(top_p{0}) == tokens{1});
  CHECK(left(top_p{1e-9f}) == tokens{1, 3});
  CHECK(left(top_p{1}) == tokens{0, 1, 3, 4});
  CHECK(left(top_p{7}) == tokens{0, 1, 3, 4});
  CHECK(left(min_p{0}) == tokens{0, 1, 3, 4});
  CHECK(left(min_p{1}) == tokens{1, 3});
  CHECK(left(min_p{0.13f}) == tokens{0, 1, 3});
  CHECK(left(typical{1}) == tokens{0, 1, 3, 4});
  CHECK(left(typical{1e-9f}) == tokens{1, 3});
  const token forbidden[] = {1, 3, 4};
  CHECK(left(banned{forbidden}) == tokens{0});
  const token_bias biases[] = {{0, 9.0f}, {1, none}, {2, most}};
  CHECK(left(logit_bias{span<const token_bias>(biases, 2)}, top_k{1}) == tokens{0});
  static_assert(chosen_while_compiling() >= 0);
  CHECK(chosen_while_compiling() == [] {
    float now[] = {0.5f, 3.0f, 2.0f, 2.9f, -1.0f};
    rule_sampler how{
        {.seed = 3},  penalties<4>{.repetition = 2.0f}, temperature{0.7f}, top_k{3}, top_p{0.9f}, min_p{0.1f},
        typical{0.9f}};
    const token prompt[] = {1, 2};
    how.take(prompt);
    return how.choose(native{}, span<float>(now));
  }());
  std::vector<float> with_infinity{1.0f, most, most, 0.0f};
  CHECK(choose<native>(rule_sampler{{}, top_k{2}}, with_infinity) == 1);
}

TEST_CASE("penalties know the last tokens of a text, and no others", "[policy]") {
  constexpr std::size_t window = 7;
  penalties<window> rule{.repetition = 1.5f, .frequency = 0.25f, .presence = 0.5f};
  std::vector<std::pair<token, bool>> text;
  rng r{2};
  for (int step = 0; step < 300; ++step) {
    text.emplace_back(static_cast<token>(r.below(6)), r.below(3) > 0);
    rule.took(text.back().first, text.back().second);
    std::vector<float> x{1, -1, 2, -2, 0, 3, 4}, expected = x;
    for (token t = 0; t < 6; ++t) {
      int times = 0, drawn = 0;
      for (std::size_t i = text.size() > window ? text.size() - window : 0; i < text.size(); ++i)
        if (text[i].first == t) ++times, drawn += text[i].second;
      auto& v = expected[static_cast<std::size_t>(t)];
      if (times > 0) v = v > 0 ? v / 1.5f : v * 1.5f;
      if (drawn > 0) v -= 0.25f * static_cast<float>(drawn) + 0.5f;
    }
    rule.adjust(native{}, span<float>(x));
    REQUIRE(x == expected);
  }
  rule.forget();
  std::vector<float> x{1, 2};
  rule.adjust(native{}, span<float>(x));
  CHECK(x == std::vector<float>{1, 2});
}

TEST_CASE("generate tells rules the prompt, and a copy of the rules remembers it", "[policy]") {
  using lm = causal_lm<tag>;
  heap_arena memory{lm::weight_bytes + lm::session_bytes};
  lm::weights weights{memory};
  initialise(weights, 1);
  lm::session session{weights, memory};
  rule_sampler how{{}, counts{}};
  const token prompt[] = {1, 2, 3};
  CHECK(generate(session, prompt, how, 5, [](token) {}) == 5);
  CHECK(how.rule<counts>().prompt == 3);
  CHECK(how.rule<counts>().drawn == 5);
}

TEST_CASE("log-probabilities on request", "[policy]") {
  rng r{4};
  std::vector<float> x(700), room(700);
  for (auto& v : x) v = static_cast<float>(r.normal() * 3);
  x[0] = x[9] = -std::numeric_limits<float>::infinity();
  const auto logits = x;
  rule_sampler how{
      {.seed = 8}, log_probabilities<>{room}, penalties<4>{.repetition = 1.2f}, temperature{0.5f}, top_k{5}};
  const token drawn = how.choose(native{}, span<float>(x));
  double sum = 0;
  for (float v : logits) sum += std::exp(static_cast<double>(v));
  for (std::size_t t = 0; t < x.size(); ++t) {
    if (std::isinf(logits[t]))
      CHECK(room[t] == logits[t]);
    else
      CHECK(room[t] == Approx(logits[t] - std::log(sum)).margin(2e-5));
  }
  CHECK(how.probability() > 0);
  CHECK(how.probability() <= 1);
  CHECK(drawn >= 0);
}

TEST_CASE("powers of two for masses: the same bits in a register and alone, close to the true ones", "[policy]") {
  std::vector<float> y;
  for (int i = 0; i < 30000; ++i) y.push_back(-126.5f * static_cast<float>(i) / 29000.0f);
  y.push_back(-std::numeric_limits<float>::infinity());
  y.push_back(-0.0f);
  auto masses = y;
  elementwise(
      native{}, y.size(), [](auto& v) { v = exp2_below(v); }, masses.data());
  for (std::size_t i = 0; i < y.size(); ++i) {
    REQUIRE(std::bit_cast<std::uint32_t>(masses[i]) == std::bit_cast<std::uint32_t>(exp2_below(y[i])));
    if (y[i] > -126.0f) REQUIRE(masses[i] == Approx(std::exp2(static_cast<double>(y[i]))).epsilon(1e-6));
    if (y[i] <= -126.0f) REQUIRE(masses[i] == 0.0f);
  }
  CHECK(exp2_below(0.0f) == 1.0f);
}

#if CTLM_EXCEPTIONS
TEST_CASE("rules of sampling refuse what has no answer, in words", "[policy]") {
  const float none = -std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const std::vector<float> x{1.0f, 2.0f, 3.0f};
  auto refusal = [&](auto... rules) {
    try {
      choose<native>(rule_sampler{{}, rules...}, x);
    } catch (const error& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  CHECK(refusal(temperature{nan}) == "ctlm: a sampler's temperature must be a finite number");
  CHECK(refusal(temperature{-none}) == "ctlm: a sampler's temperature must be a finite number");
  CHECK(refusal(top_p{nan}) == "ctlm: a sampler's top_p must be a number, not NaN");
  for (float p : {nan, -0.1f, 1.5f}) CHECK(refusal(min_p{p}) == "ctlm: a sampler's min_p must be between 0 and 1");
  for (float p : {nan, 0.0f, -1.0f, 1.5f})
    CHECK(refusal(typical{p}) == "ctlm: a sampler's typical must be above 0, and 1 at most");
  for (float p : {nan, 0.0f, -1.0f, -none})
    CHECK(refusal(penalties<4>{.repetition = p}) ==
          "ctlm: a sampler's repetition penalty must be a finite number above 0");
  CHECK(refusal(penalties<4>{.frequency = nan}) == "ctlm: a sampler's frequency penalty must be a finite number");
  CHECK(refusal(penalties<4>{.presence = none}) == "ctlm: a sampler's presence penalty must be a finite number");
  penalties<4> strange;
  strange.took(3, false);
  CHECK(refusal(strange) == "ctlm: token 3 at place 0 of penalties is outside the vocabulary of 3");
  const token all[] = {0, 1, 2}, wrong[] = {0, -5};
  CHECK(refusal(banned{all}) == "ctlm: all 3 logits are -infinity: there is no token to choose");
  CHECK(refusal(banned{wrong}) == "ctlm: token -5 at place 1 of banned is outside the vocabulary of 3");
  const token_bias biases[] = {{2, 1.0f}, {1, nan}, {9, 0.0f}};
  CHECK(refusal(logit_bias{biases}) == "ctlm: bias 1 of logit_bias is not a number");
  CHECK(refusal(logit_bias{span<const token_bias>(biases + 2, 1)}) ==
        "ctlm: token 9 at place 0 of logit_bias is outside the vocabulary of 3");
  std::vector<float> room(2);
  CHECK(refusal(log_probabilities<>{room}) == "ctlm: log_probabilities need room for 3 numbers, not 2");
  rule_sampler how{{}, top_k{2}};
  CHECK_THROWS_WITH(choose<native>(how, {1.0f, nan}), "ctlm: logit 1 is not a number");
  for (std::size_t place = 0; place < 150; ++place) {
    std::vector<float> many(150, 1.0f);
    many[place] = nan;
    CHECK_THROWS_WITH(choose<native>(how, many), "ctlm: logit " + std::to_string(place) + " is not a number");
    bool numbers = true;
    largest_number(native{}, many.size(), many.data(), numbers);
    REQUIRE(!numbers);
  }
  CHECK_THROWS_WITH(choose<native>(how, {}), "ctlm: there are no logits to choose a token from");
}
#endif
