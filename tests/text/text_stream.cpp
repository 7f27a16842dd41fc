// Text token by token: whole characters, nothing lost, and stop strings across any border.
#include "io/data.hpp"
#include "io/scratch.hpp"
#include "paths.hpp"

#include <ctlm/ctlm.hpp>
#include <ctlm/text/gpt2_files.hpp>

using namespace ctlm;

namespace {

bool is_whole(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = utf8_length(span<const char>(text.data(), text.size()), i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}
std::string repaired(const std::string& bytes) {
  std::string text;
  utf8_repair repair;
  repair.push(bytes, text);
  repair.finish(text);
  return text;
}

/// Random tokens, in runs of near ones, so that bytes that belong together come together.
template <class T>
void check_stream(const T& t, std::uint64_t seed) {
  rng r{seed};
  for (int round = 0; round < 300; ++round) {
    std::vector<token> ids;
    for (std::size_t n = 0, size = r.below(30); n < size; ++n)
      ids.push_back(static_cast<token>(r.below(3) == 0 ? r.below(t.vocab()) : r.below(smaller(t.vocab(), 300))));
    text_stream<T> stream(t);
    std::string all;
    for (const token id : ids) {
      const std::string_view piece = stream.push(id);
      REQUIRE(is_whole(piece));
      all.append(piece);
    }
    all.append(stream.finish());
    REQUIRE(all == repaired(t.decode(ids)));
    REQUIRE_FALSE(stream.stopped());
  }
}

hf_tokenizer of_case(const char* name) {
  const std::string text = contents_of(std::string(paths::source) + "/tests/text/tokenizers/cases.json");
  const json::value root = json::parse(text, {}, heap_keys()).value(), test = root.find("cases").find(name);
  const auto written = [](const json::value& v) { return std::string(v.written().data(), v.written().size()); };
  std::string model;
  test.find("model").decode([&](char c) { model += c; });
  std::string s = "{\"model\": " + written(root.find("models").find(span<const char>(model)));
  for (const char* part : {"added_tokens", "pre_tokenizer", "decoder"})
    if (const json::value v = test.find(part)) s += ", \"" + std::string(part) + "\": " + written(v);
  return hf_tokenizer::parse(s + "}").value();
}

/// Tokens whose decoded text ends where `stop` would: every way to cut a text into pieces.
std::string until_stop(const std::string& text, const std::vector<std::string>& stops, std::uint64_t seed,
                       bool& stopped) {
  rng r{seed};
  stop_finder finder(stops);
  std::string out;
  stopped = false;
  for (std::size_t i = 0; i < text.size() && !stopped;) {
    const std::size_t n = smaller(1 + r.below(4), text.size() - i);
    stopped = finder.push(std::string_view(text).substr(i, n), out);
    i += n;
  }
  if (!stopped) finder.finish(out);
  return out;
}
/// By the definition: the stop that ends first, the longest of those.
std::string slowly(const std::string& text, const std::vector<std::string>& stops, bool& stopped) {
  stopped = true;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& s : stops)
      if (s.size() <= end && text.compare(end - s.size(), s.size(), s) == 0) longest = larger(longest, s.size());
    if (longest > 0) return text.substr(0, end - longest);
  }
  stopped = false;
  return text;
}

}  // namespace

TEST_CASE("bytes become whole characters, and one U+FFFD for each piece that is none, however they come", "[text]") {
  const std::pair<const char*, const char*> cases[] = {
      {"a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"},
      {"\xE4\xB8", "\xEF\xBF\xBD"},
      {"\xE4\xB8"
       "a",
       "\xEF\xBF\xBD"
       "a"},
      {"\xF0\x9F\x98\xF0\x9F\x98\x80", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
      {"\x80\xBF\xFF\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},  // half of a pair: no character begins so
      {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xE0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
  };
  for (const auto& [bytes, text] : cases) {
    CHECK(repaired(bytes) == text);
    std::string slowly;
    utf8_repair repair;
    for (const char* c = bytes; *c != '\0'; ++c) {
      repair.push(std::string_view(c, 1), slowly);
      CHECK(is_whole(slowly));
      CHECK(repair.waiting() < 4);
    }
    repair.finish(slowly);
    CHECK(slowly == text);
  }
}

TEST_CASE("the pieces of a stream add up to decode, for every tokenizer, and hold whole characters", "[text]") {
  check_stream(byte_tokenizer(), 1);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "caf\xC3\xA9 \xE5\xAD\x90\xE6\x9B\xB0 \xF0\x9F\x98\x80 the cat ";
  check_stream(bpe::train(text, 300), 2);
  for (const char* name : {"gpt2", "flags", "llama2", "gemma", "mistral", "unfused", "bert", "unigram", "unigram_bytes",
                           "marked", "ended", "words"}) {
    INFO(name);
    check_stream(of_case(name), 3);
  }
  if (!data::present("tok512.bin")) return;
  check_stream(llama2c_tokenizer::load(data::path("tok512.bin").c_str(), 512).value(), 4);
}

TEST_CASE("a character of several tokens comes out with the last of them", "[text]") {
  const byte_tokenizer t;
  text_stream stream(t);
  CHECK(stream.push(0xE5) == "");
  CHECK(stream.push(0xAD) == "");
  CHECK(stream.push(0x90) == "\xE5\xAD\x90");
  CHECK(stream.push(0xE5) == "");
  CHECK(stream.push('a') ==
        "\xEF\xBF\xBD"
        "a");
  CHECK(stream.push(0xE5) == "");
  CHECK(stream.finish() == "\xEF\xBF\xBD");
  CHECK(stream.finish() == "");
}

TEST_CASE("stop strings are found across any border, and the first that is complete counts", "[text]") {
  const std::vector<std::vector<std::string>> lists = {
      {"stop"},       {"ab", "abab", "b"}, {"\nUser:", "\n\n"}, {"aab"},
      {"aba", "bab"}, {"\xE4\xB8\xAD"},    {"abc d", "c"},      {}};
  rng r{9};
  std::size_t found = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto& stops = lists[r.below(lists.size())];
    std::string text;
    for (std::size_t n = 0, size = r.below(12); n < size; ++n) {
      const char* const parts[] = {"a", "b", "ab", "aa", "c", " d", "st", "op", "\n", "User:", "\xE4\xB8\xAD", "x"};
      text += parts[r.below(12)];
    }
    bool stopped = false, expected = false;
    INFO(text);
    CHECK(until_stop(text, stops, static_cast<std::uint64_t>(round), stopped) == slowly(text, stops, expected));
    CHECK(stopped == expected);
    found += stopped;
  }
  CHECK(found > 500);
}

TEST_CASE("a stream ends at a stop string or at one of several stop tokens", "[text]") {
  const byte_tokenizer t;
  const auto run = [&](const char* text, text_stops stops, bool& stopped) {
    text_stream stream(t, stops);
    std::string out;
    for (const char* c = text; *c != '\0'; ++c) out.append(stream.push(static_cast<unsigned char>(*c)));
    stopped = stream.stopped();
    return out.append(stream.finish());
  };
  bool stopped = false;
  CHECK(run("hello\nUser: x", {.texts = {"\nUser:"}, .tokens = {}}, stopped) == "hello");
  CHECK(stopped);
  CHECK(run("hello\nUse", {.texts = {"\nUser:"}, .tokens = {}}, stopped) == "hello\nUse");
  CHECK_FALSE(stopped);
  CHECK(run("ab;cd.e", {.texts = {}, .tokens = {'.', ';'}}, stopped) == "ab");
  CHECK(stopped);
  CHECK(run("a\nU;d", {.texts = {"\nUser:"}, .tokens = {';'}}, stopped) == "a\nU");  // what was held back is text
  CHECK(stopped);
  CHECK(run("a\xE4;d", {.texts = {"\xEF\xBF\xBD"}, .tokens = {';'}}, stopped) == "a");
  CHECK_THROWS_WITH(text_stream(t, {.texts = {"a", ""}, .tokens = {}}), "ctlm: stop string 1 is empty");
  CHECK_THROWS_WITH(text_stream(t, {.texts = {"\xE4"}, .tokens = {}}), "ctlm: stop string 0 is not UTF-8");
}
