// Byte pair encoding: every string survives, training is deterministic, hostile input costs no more than n log n.
#include "io/data.hpp"

#include <ctlm/ctlm.hpp>

#include <algorithm>
#include <limits>

using ctlm::bpe;

namespace {

std::string sample() {
  std::string s;
  for (int i = 0; i < 300; ++i)
    s += "the cat number " + std::to_string(i * 37 % 100) + " sat on the mat;\n\tand thought: caf\xC3\xA9? ";
  return s;
}

std::string random_bytes(std::size_t n, std::uint64_t seed) {
  ctlm::rng r{seed};
  std::string s(n, '\0');
  for (char& c : s) c = static_cast<char>(r.below(256));
  return s;
}

}  // namespace

TEST_CASE("every string survives a round trip", "[text]") {
  const bpe b = bpe::train(sample(), 400);
  CHECK(b.decode(b.encode(sample())) == sample());
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string s = random_bytes(1 + seed * 37, seed);
    CHECK(b.decode(b.encode(s)) == s);
  }
  for (const char* s : {"", " ", "  ", "   a", "a   ", "\n\n  x", " 1a2 ;; ", "\t\n "})
    CHECK(b.decode(b.encode(s)) == s);
  for (const char* name : {"tinyshakespeare.txt", "tang300.json", "wikitext2_valid.txt"})
    if (data::present(name)) {
      const std::string text = data::read(data::path(name));
      CHECK(b.decode(b.encode(text)) == text);
    }
}

TEST_CASE("training learns frequent words, deterministically", "[text]") {
  const bpe a = bpe::train(sample(), 400), b = bpe::train(sample(), 400);
  CHECK(a.merges() == b.merges());
  CHECK(a.vocab() <= 400);
  CHECK(a.encode(" the").size() == 1);
  CHECK(a.encode(" thought").size() == 1);
  CHECK(a.encode(sample()).size() * 3 < sample().size());
  CHECK(bpe::train("abc", 400).vocab() == 256);
  CHECK(bpe::train("", 400).vocab() == 256);
}

TEST_CASE("merges apply in the order they were learnt", "[text]") {
  // "ab" is learnt first, then "abc": in "aabc" the pair (a, a) is unknown.
  const std::vector<bpe::merge> merges{{'a', 'b'}, {256, 'c'}};
  const bpe b = bpe::from_merges(merges).value();
  CHECK(b.encode("aabc") == std::vector<ctlm::token>{'a', 257});
  CHECK(b.encode("abab") == std::vector<ctlm::token>{256, 256});
  CHECK(b.bytes_of(257) == "abc");
  CHECK(b.bytes_of(258).empty());
  CHECK(b.bytes_of(-1).empty());
}

TEST_CASE("merges of a damaged file are refused, with their numbers", "[text]") {
  const std::vector<bpe::merge> forward{{'a', 'b'}, {300, 'c'}}, negative{{-1, 'c'}}, twice{{'a', 'b'}, {'a', 'b'}};
  auto words = [](const std::vector<bpe::merge>& merges) {
    const auto r = bpe::from_merges(merges);
    CHECK(r.error().code == ctlm::errc::corrupt);
    return std::string(ctlm::explain(r.error()));
  };
  CHECK(words(forward) == "ctlm: merge 1 of this tokenizer refers to token 300; only those below 257 exist before it");
  CHECK(words(negative) == "ctlm: merge 0 of this tokenizer refers to token -1; only those below 256 exist before it");
  CHECK(words(twice) == "ctlm: merge 1 of this tokenizer repeats merge 0");
}

TEST_CASE("a small table of merges cannot ask for gigabytes", "[text]") {
  std::vector<bpe::merge> doubling{{'a', 'a'}};
  for (int i = 0; i < 62; ++i) doubling.push_back({256 + i, 256 + i});
  for (std::size_t n = 0; n < doubling.size(); ++n) {
    const auto r = bpe::from_merges(ctlm::span<const bpe::merge>(doubling).first(n));
    REQUIRE(static_cast<bool>(r) == (n < 24));  // 2 + 4 + ... + 2^23 bytes are the most below the limit
    if (!r) {
      REQUIRE(r.error().code == ctlm::errc::out_of_memory);
      REQUIRE(r.error().needed == (std::size_t{1} << 25) - 2);
      REQUIRE(r.error().had == bpe::most_bytes);
      REQUIRE(std::string(ctlm::explain(r.error())) ==
              "ctlm: the tokens of this tokenizer need 33554430 bytes up to merge 23; at most 16777216 are allowed");
    }
  }
}

TEST_CASE("from_merges accepts whatever training learns, however long the tokens", "[text]") {
  // Each merge adds a letter in front of a token of 128 KiB: without a limit the tokens would need 19 MiB.
  std::string word(1 << 18, 'a');
  for (int c = 'b'; c < 256; ++c)
    if (c <= 'z' || c >= 128) word.insert(word.begin(), static_cast<char>(c));
  const bpe b = bpe::train(word + "\n" + word + "\n", 256 + 200);
  std::size_t bytes = 0, longest = 0;
  for (std::size_t t = 256; t < b.vocab(); ++t) {
    const std::size_t n = b.bytes_of(static_cast<ctlm::token>(t)).size();
    bytes += n;
    longest = std::max(longest, n);
  }
  CHECK(longest >= std::size_t{1} << 17);
  CHECK(bytes <= bpe::most_bytes);
  CHECK(bytes > bpe::most_bytes / 2);
  CHECK(b.decode(b.encode(word)) == word);
  const auto again = bpe::from_merges(b.merges());
  REQUIRE(again);
  CHECK(again->encode(word) == b.encode(word));
}

TEST_CASE("tokens that do not exist have no bytes", "[text]") {
  const std::vector<bpe::merge> merges{{'a', 'b'}};
  const bpe b = bpe::from_merges(merges).value();
  constexpr auto least = std::numeric_limits<ctlm::token>::min(), most = std::numeric_limits<ctlm::token>::max();
  for (const ctlm::token t : {least, -257, -1, 257, 65536, most}) CHECK(b.bytes_of(t).empty());
  CHECK(b.decode(std::vector<ctlm::token>{least, 'x', most, 256, -1}) == "xab");
}

TEST_CASE("a megabyte of one letter is no trap", "[text]") {
  const std::string s(1 << 20, 'a');
  const bpe b = bpe::train(s, 300);
  CHECK(b.decode(b.encode(s)) == s);
}
