// Words are merged in three ways, by their length: all come to the tokens of the definition, and very long words take
// time in proportion to their length.
#include "catch.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/encode_all.hpp>
#include <ctlm/text/hf_tokenizer.hpp>
#include <ctlm/text/merge_words.hpp>

#include <map>

using namespace ctlm;

namespace {

using merging_detail::ranked_pair;

struct table {
  std::map<std::pair<token, token>, ranked_pair> pairs;
  std::size_t ranks = 0;
  bool ordered = true;
  mutable std::size_t asked = 0;

  ranked_pair operator()(token left, token right) const {
    ++asked;
    const auto found = pairs.find({left, right});
    return found == pairs.end() ? ranked_pair{} : found->second;
  }
};

std::uint32_t drawn(std::uint32_t& state, std::uint32_t below) {
  state = state * 1664525u + 1013904223u;
  return (state >> 8) % below;
}

/// Merges of random pairs of `letters` letters and of what was merged before. Ranks are learned one after the other, or
/// they are any, equal ones among them.
table random_table(std::uint32_t& state, token letters, std::size_t merges, bool ordered) {
  table t;
  t.ordered = ordered;
  token next = letters;
  for (std::size_t i = 0; i < merges; ++i) {
    const auto known = static_cast<std::uint32_t>(next);
    const std::pair<token, token> pair(static_cast<token>(drawn(state, known)),
                                       static_cast<token>(drawn(state, known)));
    const auto rank = ordered ? static_cast<std::uint32_t>(i) : drawn(state, static_cast<std::uint32_t>(merges));
    if (t.pairs.try_emplace(pair, ranked_pair{rank, next}).second) ++next;
  }
  t.ranks = merges;
  return t;
}

/// The definition: the leftmost of the pairs with the lowest rank is merged, until there is none.
std::vector<token> by_definition(std::vector<token> word, const table& t) {
  for (;;) {
    std::size_t best = word.size();
    ranked_pair found;
    for (std::size_t i = 0; i + 1 < word.size(); ++i)
      if (const ranked_pair p = t(word[i], word[i + 1]); p.made >= 0 && (found.made < 0 || p.rank < found.rank))
        found = p, best = i;
    if (best == word.size()) return word;
    word[best] = found.made;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}
std::vector<token> merged(std::vector<token> word, const table& t) {
  if (word.size() <= merging_detail::few) {
    word.resize(merging_detail::merge_few(word.data(), word.size(), t));
    return word;
  }
  merging_detail::long_word long_one(word.data(), word.size(), t);
  long_one.merge(t.ranks, t.ordered);
  word.resize(long_one.write(word.data()));
  return word;
}
std::vector<token> random_word(std::uint32_t& state, std::uint32_t letters, std::size_t n) {
  std::vector<token> word(n);
  for (token& t : word) t = static_cast<token>(drawn(state, letters));
  return word;
}

}  // namespace

TEST_CASE("words of every length are merged as the definition says, whatever the ranks", "[text]") {
#if CTLM_FEW_TRIALS  // under a sanitizer: minutes
  constexpr int rounds = 100;
#else
  constexpr int rounds = 300;
#endif
  std::uint32_t state = 1;
  std::size_t smaller_ones = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::uint32_t letters = 1 + drawn(state, 4);
    const table t = random_table(state, static_cast<token>(letters), 1 + drawn(state, 40), round % 2 == 0);
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{drawn(state, 49)},
                                std::size_t{48}, std::size_t{49}, std::size_t{50 + drawn(state, 200)}}) {
      const std::vector<token> word = random_word(state, letters, n), expected = by_definition(word, t);
      REQUIRE(merged(word, t) == expected);
      smaller_ones += expected.size() < word.size();
    }
  }
  CHECK(smaller_ones > 10 * rounds / 3);
  for (int round = 0; round < 40; ++round) {
    const std::uint32_t letters = 1 + drawn(state, 3);
    const table t = random_table(state, static_cast<token>(letters), 1 + drawn(state, 60), round % 2 == 0);
    const std::vector<token> word = random_word(state, letters, merging_detail::many + drawn(state, 300));
    REQUIRE(merged(word, t) == by_definition(word, t));
  }
}

TEST_CASE("very long words take time in proportion to their length", "[text]") {
  table doubling;  // of one letter: two, four, eight, ...
  for (token i = 0; i < 12; ++i) doubling.pairs[{i, i}] = {static_cast<std::uint32_t>(i), i + 1};
  doubling.ranks = 12;
  std::uint32_t state = 7;
  table random = random_table(state, 3, 200, true);
  const auto asked_for = [&](const table& t, const std::vector<token>& word) {
    t.asked = 0;
    (void)merged(word, t);
    return static_cast<double>(t.asked);
  };
  const std::vector<token> shorter(50000, 0), longer(200000, 0);
  CHECK(asked_for(doubling, longer) < 4.2 * asked_for(doubling, shorter));
  CHECK(asked_for(doubling, longer) < 4.0 * static_cast<double>(longer.size()));
  const std::vector<token> mixed = random_word(state, 3, 50000), more = random_word(state, 3, 200000);
  CHECK(asked_for(random, more) < 4.4 * asked_for(random, mixed));
  CHECK(asked_for(random, more) < 4.0 * static_cast<double>(more.size()));
  CHECK(merged(longer, doubling) == [] {
    std::vector<token> all(200000 / 4096, 12);
    for (std::size_t rest = 200000 % 4096, bit = 11; bit < 12; --bit)
      if (rest >> bit & 1) all.push_back(static_cast<token>(bit));
    return all;
  }());
}

TEST_CASE("a token whose letters are merged otherwise is not taken whole", "[text]") {
  // "abc" is a token, but a + b comes before b + c, and then nothing merges: only ignore_merges takes it.
  const std::string vocab = R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "abc": 5},
                             "merges": ["a b", "b c", "a bc"])";
  CHECK(hf_tokenizer::parse(vocab + "}}").value().encode("abc") == std::vector<token>{3, 2});
  CHECK(hf_tokenizer::parse(vocab + R"(, "ignore_merges": true}})").value().encode("abc") == std::vector<token>{5});
  CHECK(hf_tokenizer::parse(vocab + "}}").value().encode("bc") == std::vector<token>{4});
}

TEST_CASE("many texts are encoded on threads as each is alone, and what one raises is raised", "[text]") {
  const auto t = hf_tokenizer::parse(R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"],
                                         "unk_token": "missing"}})")
                     .value();
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < 3000; ++i) kept.push_back(std::string(i % 7, 'b') + std::string(i % 200, 'a') + "b");
  kept[5] = "";
  std::vector<std::string_view> texts(kept.begin(), kept.end());
  pool<3> threads(3);
  serial alone;
  const auto tokens = encode_all(t, span<const std::string_view>(texts), threads);
  REQUIRE(tokens.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) REQUIRE(tokens[i] == t.encode(texts[i]));
  CHECK(encode_all(t, span<const std::string_view>(texts), alone, special_tokens::without) == tokens);
  CHECK(encode_all(t, span<const std::string_view>(), threads).empty());
  CHECK(encode_all(byte_tokenizer(), span<const std::string_view>(texts).first(2), threads)[1] ==
        byte_tokenizer::encode(texts[1]));
  texts[2900] = "x";
  CHECK_THROWS_WITH(encode_all(t, span<const std::string_view>(texts), threads),
                    "ctlm: the unk_token of this tokenizer is not in its vocab");
}
