// Samplers read large vocabularies in another way where the type of the logits says that they are: what is left, and
// what is drawn, must be the same to the bit.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace ctlm;

namespace {

constexpr float none = -std::numeric_limits<float>::infinity(), wrong = std::numeric_limits<float>::quiet_NaN();
constexpr int kinds = 12;
#if CTLM_FEW_TRIALS  // under an emulator or a sanitizer: minutes
constexpr int rounds = 4;
#else
constexpr int rounds = 20;
#endif

std::vector<float> logits_of_kind(int kind, std::size_t n, rng& r) {
  std::vector<float> x(n);
  const double spread = 0.05 + 4 * r.uniform();
  for (auto& v : x) {
    v = static_cast<float>(r.normal() * spread);
    if (kind == 1) v = std::round(v);                                   // ties
    if (kind == 2) v = 2.5f;                                            // all equal
    if (kind == 3 && r.below(3) == 0) v = none;                         // forbidden tokens
    if (kind == 4) v *= 30;                                             // peaked
    if (kind == 5) v = -v * v;                                          // many near the peak
    if (kind == 6) v = static_cast<float>(1e-3 * r.uniform());          // flat
    if (kind == 7) v *= std::exp2(-static_cast<float>(r.below(100)));   // numbers of all sizes
    if (kind == 8) v = static_cast<float>(3e38 * (r.uniform() - 0.5));  // differences that overflow
    if (kind == 11) v = r.below(1000) == 0 ? v : none;                  // few that are possible
  }
  if (kind == 9) std::sort(x.begin(), x.end());
  if (kind == 10)  // one block holds nearly everything
    for (std::size_t i = 0; i < 100; ++i) x[500 + i] += 20;
  x[r.below(n)] = kind == 8 ? 2e38f : 1.0f;
  return x;
}

/// Several rules one after the other, mostly those that search.
template <class Left>
void narrow(Left& left, std::uint64_t seed) {
  rng r{mix(seed)};
  temperature{0.4f + static_cast<float>(r.uniform())}.narrow(left);
  for (std::size_t i = 1 + r.below(3); i > 0; --i) {
    const auto u = static_cast<float>(r.uniform());
    switch (r.below(6)) {
      case 0:
        top_k{257 + r.below(20000)}.narrow(left);
        break;
      case 1:
        min_p{u * u * u * u}.narrow(left);
        break;
      case 2:
      case 3:
        typical{0.02f + 0.97f * u}.narrow(left);
        break;
      default:
        top_p{0.02f + 0.97f * u}.narrow(left);
    }
  }
}

template <class Backend>
void compare(const std::vector<float>& x, std::uint64_t seed) {
  token_candidates<float, Backend, false> one{span<const float>(x)};
  token_candidates<float, Backend, true> many{span<const float>(x)};
  narrow(one, seed);
  narrow(many, seed);
  REQUIRE(one.decided() == many.decided());
  REQUIRE(one.highest() == many.highest());
  REQUIRE(one.total() == many.total());
  std::vector<std::size_t> left;
  one.for_each([&](std::size_t t, float) { left.push_back(t); });
  std::size_t same = 0, all = 0;
  many.for_each([&](std::size_t t, float) {
    same += all < left.size() && left[all] == t;
    ++all;
  });
  REQUIRE(all == left.size());
  REQUIRE(same == all);
  for (const double u : {0.0, 0.017, 0.5, 0.77, 0.999, 1 - 1e-16}) {
    const auto a = one.draw(u);
    const auto b = many.draw(u);
    REQUIRE(a.chosen == b.chosen);
    REQUIRE(a.probability == b.probability);
  }
}

template <class F>
std::string words_of(F&& f) {
  try {
    f();
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

template <std::size_t Vocab>
struct tag {
  static constexpr gpt2_config config{.vocab = Vocab, .d_model = 4, .layers = 1, .heads = 2, .context = 4};
};
template <std::size_t Vocab>
using logits_type = decltype(std::declval<typename causal_lm<tag<Vocab>>::session&>().decode(0));

}  // namespace

TEST_CASE("large vocabularies: the same tokens are left and drawn as by the other search", "[policy]") {
  for (std::uint64_t seed = 0; seed < rounds * kinds; ++seed) {
    rng r{mix(seed)};
    const int kind = static_cast<int>(seed % kinds);
    const std::size_t n = seed < kinds ? 262144 : large_vocabulary + r.below(30000);
    const auto x = logits_of_kind(kind, n, r);
    INFO("kind " << kind << ", seed " << seed << ", " << n << " logits");
    compare<native>(x, seed);
    if (seed % 4 == 0) compare<portable>(x, seed);
  }
}

TEST_CASE("large vocabularies: where rounding could matter, the way of the other search is gone", "[policy]") {
  using left_type = sampling_detail::left_tokens<float, native>;
  int clear = 0, unclear = 0, retraced = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    rng r{mix(seed + 5)};
    const auto x = logits_of_kind(seed % 3 == 0 ? 6 : seed % 3 == 1 ? 0 : 4, large_vocabulary + r.below(200000), r);
    left_type left{x.data(), x.size()};
    bool numbers = true;
    for (std::size_t b = 0; b < left.blocks(); ++b) {
      left.most[b] = largest_number(native{}, left.block_size(b), left.x + b * left.stride(), numbers);
      left.peak = std::max(left.peak, left.most[b]);
    }
    left.high = left.peak;
    const sampling_detail::enough_tokens enough{0, 0.3 + 0.69 * r.uniform()};
    sampling_detail::sampled_search<sampling_detail::by_logit<float>, float, native> search(left, {}, enough);
    const float wanted = level_of(left, sampling_detail::by_logit<float>{}, enough);
    search.find();
    if (search.is_clear()) {
      ++clear;
      REQUIRE(search.level() == wanted);
    } else {
      ++unclear;
      if (!search.retrace()) continue;
      ++retraced;
      REQUIRE(search.level() == wanted);
    }
    REQUIRE(sampled_level_of(left, sampling_detail::by_logit<float>{}, enough) == wanted);
  }
  CHECK(clear > 60);
  CHECK(unclear > 20);
  CHECK(retraced > 20);
}

TEST_CASE("large vocabularies: samplers choose the same tokens, and refuse in the same words", "[policy]") {
  rng r{3};
  for (int kind = 0; kind < kinds; ++kind) {
    auto x = logits_of_kind(kind, 50000, r);
    const auto both = [&](auto how) {
      auto other = how;
      for (int i = 0; i < 4; ++i) {
        auto a = x, b = x;
        REQUIRE(how.choose(native{}, span<float>(a)) == other.choose(native{}, many_logits<float>(b)));
        REQUIRE(how.seed == other.seed);
      }
    };
    both(sampler{});
    both(sampler{.temperature = 0.8f, .seed = 1});
    both(sampler{.temperature = 0.8f, .top_p = 0.95f, .seed = 2});
    both(sampler{.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .seed = 3});
    both(rule_sampler{{.seed = 4}, penalties<8>{.repetition = 1.2f}, typical{0.9f}});
    both(rule_sampler{{.seed = 5}, typical{0.4f}, top_p{0.9f}, typical{0.9f}});
    const auto refusal = [&](auto logits) {
      return words_of([&] { sampler{.temperature = 1, .top_p = 0.9f}.choose(native{}, logits); });
    };
    x[777] = wrong;
    CHECK(refusal(many_logits<float>(x)) == "ctlm: logit 777 is not a number");
    CHECK(refusal(span<float>(x)) == refusal(many_logits<float>(x)));
    std::fill(x.begin(), x.end(), none);
    CHECK(refusal(many_logits<float>(x)) == "ctlm: all 50000 logits are -infinity: there is no token to choose");
    x[99] = -none;
    CHECK(sampler{.temperature = 1, .top_p = 0.9f}.choose(native{}, many_logits<float>(x)) == 99);
  }
}

TEST_CASE("a session's logits say whether its vocabulary is large", "[policy]") {
  STATIC_REQUIRE(std::is_same_v<logits_type<large_vocabulary - 1>, span<float>>);
  STATIC_REQUIRE(std::is_same_v<logits_type<large_vocabulary>, many_logits<float>>);
  STATIC_REQUIRE(std::is_convertible_v<many_logits<float>, span<float>>);
  STATIC_REQUIRE(std::is_convertible_v<many_logits<float>, span<const float>>);
}

TEST_CASE("keys between two levels are copied in their order, whatever is among them", "[policy]") {
  std::size_t copied = 0;
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    rng r{mix(seed)};
    const std::size_t n = r.below(80);
    std::vector<float> key(n), weight(n), keys(n), weights(n);
    for (std::size_t i = 0; i < n; ++i) {
      const auto kind = r.below(12);
      key[i] = kind == 0   ? wrong
               : kind == 1 ? -none
               : kind == 2 ? none
                           : std::round(4 * static_cast<float>(r.normal()));
      weight[i] = static_cast<float>(i);
    }
    const float least = seed % 5 == 0 ? none : -static_cast<float>(r.below(6));
    const float beyond = seed % 7 == 0 ? -none : static_cast<float>(r.below(6));
    std::vector<float> wanted;
    for (std::size_t i = 0; i < n; ++i)
      if (key[i] >= least && key[i] < beyond) wanted.push_back(weight[i]);
    const auto check = [&](auto backend) {
      const std::size_t count =
          pick_between(backend, n, key.data(), weight.data(), least, beyond, keys.data(), weights.data());
      REQUIRE(std::vector<float>(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(count)) == wanted);
      for (std::size_t i = 0; i < count; ++i) REQUIRE(keys[i] == key[static_cast<std::size_t>(weights[i])]);
    };
    check(portable{});
    check(native{});
    copied += wanted.size();
  }
  CHECK(copied > 100000);
}
