// Byte pair encoding: every string survives, training is deterministic, hostile input costs no more than n log n.
#include "data.hpp"

#include <ctlm/ctlm.hpp>

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

TEST_CASE("every string survives a round trip", "[io]") {
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

TEST_CASE("training learns frequent words, deterministically", "[io]") {
  const bpe a = bpe::train(sample(), 400), b = bpe::train(sample(), 400);
  CHECK(a.merges() == b.merges());
  CHECK(a.vocab() <= 400);
  CHECK(a.encode(" the").size() == 1);
  CHECK(a.encode(" thought").size() == 1);
  CHECK(a.encode(sample()).size() * 3 < sample().size());
  CHECK(bpe::train("abc", 400).vocab() == 256);
  CHECK(bpe::train("", 400).vocab() == 256);
}

TEST_CASE("merges apply in the order they were learnt", "[io]") {
  // "ab" is learnt first, then "abc": in "aabc" the pair (a, a) is unknown.
  const std::vector<bpe::merge> merges{{'a', 'b'}, {256, 'c'}};
  const bpe b = bpe::from_merges(merges).value();
  CHECK(b.encode("aabc") == std::vector<ctlm::token>{'a', 257});
  CHECK(b.encode("abab") == std::vector<ctlm::token>{256, 256});
  CHECK(b.bytes_of(257) == "abc");
  CHECK(b.bytes_of(258).empty());
  CHECK(b.bytes_of(-1).empty());
}

TEST_CASE("merges of a damaged file are refused", "[io]") {
  const std::vector<bpe::merge> forward{{'a', 'b'}, {300, 'c'}}, negative{{-1, 'c'}};
  CHECK(bpe::from_merges(forward).error().code == ctlm::errc::corrupt);
  CHECK(bpe::from_merges(negative).error().code == ctlm::errc::corrupt);
}

TEST_CASE("a megabyte of one letter is no trap", "[io]") {
  const std::string s(1 << 20, 'a');
  const bpe b = bpe::train(s, 300);
  CHECK(b.decode(b.encode(s)) == s);
}
