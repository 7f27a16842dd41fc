// Byte pair encoding against the definition: count every pair again after every merge, merge by merge over the text.
#include "io/data.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <map>

using ctlm::bpe;
using ctlm::token;

namespace {

using tokens = std::vector<token>;

tokens merged(const tokens& t, bpe::merge m, token id) {
  tokens out;
  for (std::size_t i = 0; i < t.size(); ++i) {
    const bool hit = i + 1 < t.size() && t[i] == m.left && t[i + 1] == m.right;
    out.push_back(hit ? id : t[i]);
    if (hit) ++i;
  }
  return out;
}

std::vector<tokens> words_of(const std::string& text) {
  std::vector<tokens> words;
  bpe::for_each_word(text, [&](std::string_view w) {
    words.emplace_back();
    for (char c : w) words.back().push_back(static_cast<unsigned char>(c));
  });
  return words;
}

std::vector<bpe::merge> learnt_slowly(const std::string& text, std::size_t vocab) {
  std::vector<tokens> words = words_of(text);
  std::vector<bpe::merge> merges;
  while (256 + merges.size() < vocab) {
    std::map<std::pair<token, token>, long> counts;
    for (const tokens& w : words)
      for (std::size_t i = 0; i + 1 < w.size(); ++i) ++counts[{w[i], w[i + 1]}];
    const auto best = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == counts.end() || best->second < 2) break;
    const bpe::merge m{best->first.first, best->first.second};
    for (tokens& w : words) w = merged(w, m, static_cast<token>(256 + merges.size()));
    merges.push_back(m);
  }
  return merges;
}

tokens encoded_slowly(const bpe& b, const std::string& text) {
  tokens out;
  for (tokens w : words_of(text)) {
    for (std::size_t i = 0; i < b.merges().size(); ++i) w = merged(w, b.merges()[i], static_cast<token>(256 + i));
    out.insert(out.end(), w.begin(), w.end());
  }
  return out;
}

/// Text over a few characters, so that pairs overlap and repeat in every way.
std::string jumble(std::uint64_t seed, std::size_t n) {
  static constexpr char alphabet[] = {'a', 'b', ' ', '\n', '1', ';', '\xC3', '\xA9'};
  ctlm::rng r{seed};
  std::string s(n, '\0');
  for (char& c : s) c = alphabet[r.below(1 + seed % 8)];
  return s;
}

}  // namespace

TEST_CASE("fast training and encoding equal the definition", "[text]") {
  for (std::uint64_t seed = 0; seed < 48; ++seed) {
    const std::string text = jumble(seed, 300);
    const bpe b = bpe::train(text, 300);
    REQUIRE(b.merges() == learnt_slowly(text, 300));
    const std::string other = jumble(seed + 7, 200);
    REQUIRE(b.encode(other) == encoded_slowly(b, other));
  }
  for (const char* name : {"tinyshakespeare.txt", "lunyu.json"})
    if (data::present(name)) {
      const std::string text = data::read(data::path(name)).substr(0, 20'000);
      const bpe b = bpe::train(text, 300);
      CHECK(b.merges() == learnt_slowly(text, 300));
      CHECK(b.encode(text) == encoded_slowly(b, text));
    }
}

TEST_CASE("training takes texts without spaces, and noise", "[text]") {
  ctlm::rng r{1};
  std::string letters(200'000, '\0'), noise(200'000, '\0');
  for (char& c : letters) c = static_cast<char>(128 + r.below(128));
  for (char& c : noise) c = static_cast<char>(r.below(256));
  std::vector<std::string> texts{letters, noise, std::string(200'000, 'a')};
  for (const char* name : {"tang300.json", "lunyu.json", "minimind_tokenizer.json"})
    if (data::present(name)) texts.push_back(data::read(data::path(name)));
  for (const std::string& text : texts) {
    const bpe b = bpe::train(text, 1024);
    CHECK(b.decode(b.encode(text)) == text);
  }
}
