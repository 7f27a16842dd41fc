// Files of tiktoken: the tokens that tiktoken makes with the same ranks (make_tiktoken.py), and what is refused.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"
#include "words.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/tiktoken.hpp>

using namespace ctlm;

namespace {

std::string folder() { return std::string(paths::source) + "/tests/text/tiktoken/"; }
const std::vector<tiktoken_special> specials{{"<|endoftext|>", 500}, {"<|fim_prefix|>", 501}};

/// A file with the 256 bytes, and these lines.
std::string bytes_and(const std::string& lines) {
  std::string file;
  const char* const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (unsigned b = 0; b < 256; ++b) {
    file += letters[b >> 2];
    file += letters[(b & 3) << 4];
    file.append("== ").append(std::to_string(b)).append("\n");
  }
  return file + lines;
}

}  // namespace

TEST_CASE("a file of tiktoken makes the tokens of tiktoken, whatever the pattern", "[text]") {
  const std::string text = contents_of(folder() + "cases.json");
  const json::value root = json::parse(text, {}, heap_keys()).value();
  std::vector<std::string> texts;
  for (const json::value t : root.find("texts").elements()) texts.push_back(text_of(t));
  std::size_t compared = 0;
  for (const auto [key, rows] : root.find("cases").members()) {
    const std::string name = text_of(key);
    INFO(name);
    const auto t = load_tiktoken((folder() + "small.tiktoken").c_str(), name, specials);
    REQUIRE(words_of(t) == "");
    CHECK(t->vocab() == 502);
    CHECK(t->is_special(500));
    std::size_t i = 0;
    for (const json::value row : rows.elements()) {
      std::vector<token> expected;
      for (const json::value id : row.elements()) expected.push_back(id.as_integer<token>().value());
      INFO(texts[i]);
      CHECK(t->encode(texts[i]) == expected);
      CHECK(t->decode(expected, special_tokens::with) == texts[i]);
      ++compared;
      ++i;
    }
    CHECK(i == texts.size());
  }
  CHECK(compared == 3 * texts.size());
}

TEST_CASE("of tiktoken's pairs the one whose token has the lowest rank is merged first, the leftmost of equals",
          "[text]") {
  // ab 256, bc 257, abc 258, aa 259, xyz 260 (which only a whole word is)
  const auto t = parse_tiktoken(bytes_and("YWI= 256\nYmM= 257\nYWJj 258\nYWE= 259\nIHh5eg== 260\n"), "gpt2");
  CHECK(words_of(t) ==
        "ctlm: the special token '<|endoftext|>' cannot have the number 50256: it is taken, or far beyond the others");
  const auto u = parse_tiktoken(bytes_and("YWI= 256\nYmM= 257\nYWJj 258\nYWE= 259\nIHh5eg== 260\n"), "gpt2", specials);
  REQUIRE(words_of(u) == "");
  using ids = std::vector<token>;
  CHECK(u->encode("abc") == ids{258});
  CHECK(u->encode("bcc") == ids{257, 'c'});
  CHECK(u->encode("aaaab") == ids{259, 'a', 256});
  CHECK(u->encode("aaa") == ids{259, 'a'});
  CHECK(u->encode(" xyz xyzz") == ids{260, ' ', 'x', 'y', 'z', 'z'});
  CHECK(u->encode("\xFF\xC3") == ids{255, 195});
  CHECK(u->decode(ids{255, 195, 'a'}) ==
        "\xEF\xBF\xBD\xEF\xBF\xBD"
        "a");
}

TEST_CASE("a file of tiktoken that breaks a rule is refused with the line", "[text]") {
  const auto words = [](const std::string& lines) {
    return words_of(parse_tiktoken(bytes_and(lines), "gpt2", specials));
  };
  const char* const shape = "ctlm: line 257 of this file of tiktoken is no token in base64, a space, and its rank";
  for (const char* line : {"YWI=256", "YWI= ", "YWI= x", "YWI= -1", "YW= 256", "Y?I= 256", "=AAA 256", "YW=I 256",
                           "YWI= 256x", "YWI=YWI= 256", " 256"})
    CHECK(words(line) == shape);
  CHECK(words("YWI= 255") == "ctlm: line 257 of this file of tiktoken has a token or a rank that was there before");
  CHECK(words("YQ== 256") == "ctlm: line 257 of this file of tiktoken has a token or a rank that was there before");
  CHECK(words("YWI= 900000")
            .starts_with("ctlm: line 257 of this file of tiktoken has rank 900000; with so few others it is "
                         "at most "));
  CHECK(words("YWI= 500") ==
        "ctlm: the special token '<|endoftext|>' cannot have the number 500: it is taken, or far beyond "
        "the others");
  std::string long_token;
  for (int i = 0; i < 400; ++i) long_token += "YWJj";
  CHECK(words(long_token + " 256") ==
        "ctlm: line 257 of this file of tiktoken has a token of 1200 bytes; at most 1024 are supported");
  CHECK(words_of(parse_tiktoken("YWI= 0\n", "gpt2")) ==
        "ctlm: this file of tiktoken has no token for byte 0: is it cut off?");
  CHECK(words_of(parse_tiktoken("", "gpt5")) ==
        "ctlm: the encoding 'gpt5' of tiktoken is not known; known are gpt2, r50k_base, p50k_base, p50k_edit, "
        "cl100k_base "
        "and o200k_base");
  CHECK(words_of(load_tiktoken("no/such/file", "gpt2")) == "ctlm: no such file or folder");
}

TEST_CASE("every file of tiktoken that is cut off or has a bit flipped is refused in words, or is a tokenizer",
          "[text]") {
  const std::string file = bytes_and("YWI= 256\nYmM= 257\nYWJj 258\n");
  std::size_t read = 0, refused = 0;
  const auto attack = [&](const std::string& bytes) {
    const auto t = parse_tiktoken(bytes, "cl100k_base", specials);
    t ? ++read : ++refused;
    if (!t) CHECK(std::string(explain(t.error()).text).starts_with("ctlm: "));
    if (t) CHECK(t->decode(t->encode("abc don't\n")) == "abc don't\n");
  };
  for (std::size_t n = 0; n < file.size(); ++n) attack(file.substr(0, n));
  for (std::size_t i = 0; i < file.size(); i += 3)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = file;
      flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
      attack(flipped);
    }
  CHECK(read > 20);
  CHECK(refused > 1000);
}

TEST_CASE("the numbers of special tokens that an encoding's name stands for", "[text]") {
  // 50256 ranks that are there: the bytes, and texts of three bytes
  std::string lines;
  const char* const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 256; i < 50256; ++i)
    lines.append(1, 'x')
        .append(1, letters[i >> 12])
        .append(1, letters[i >> 6 & 63])
        .append(1, letters[i & 63])
        .append(" ")
        .append(std::to_string(i))
        .append("\n");
  const auto t = parse_tiktoken(bytes_and(lines), "gpt2");
  REQUIRE(words_of(t) == "");
  CHECK(t->vocab() == 50257);
  CHECK(t->encode("a<|endoftext|>") == std::vector<token>{'a', 50256});
  CHECK(t->is_special(50256));
}
