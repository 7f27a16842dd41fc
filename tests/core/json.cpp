// The JSON reader: what RFC 8259 accepts and refuses, at compile time and at run time; and what values say.
#include "catch.hpp"
#include "json_cases.hpp"

#include <ctlm/ctlm.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace ctlm;

namespace {

constexpr bool accepts(std::string_view text) { return static_cast<bool>(json::parse(text)); }

/// How many texts there are, or zero if one of them is taken the wrong way.
constexpr int accepted_texts() {
  int n = 0;
  bool right = true;
  json_cases::for_each_accepted([&](std::string_view text) { ++n, right = right && accepts(text); });
  return right ? n : 0;
}
constexpr int refused_texts() {
  int n = 0;
  bool right = true;
  json_cases::for_each_refused([&](std::string_view text) { ++n, right = right && !accepts(text); });
  return right ? n : 0;
}
static_assert(accepted_texts() >= 100);
static_assert(refused_texts() >= 150);

std::string nested(std::size_t depth, const char* open = "[", const char* close = "]") {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  if (*open == '{') text += '1';
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

failure refusal(std::string_view text, const json::limits& limits = {}) {
  const auto r = json::parse(text, limits);
  INFO(text);
  REQUIRE_FALSE(r);
  return r.error();
}

std::string text_of(const json::value& v) {
  std::string s;
  const std::size_t n = v.decode([&](char c) { s += c; });
  CHECK(n == s.size());
  return s;
}

template <class T>
T bits(std::uint64_t u) {
  T x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}

constexpr auto sample = json::literal(R"({
  "model_type": "llama", "hidden_size": 576, "eps": 1e-05, "tied": true, "scaling": null, "ids": [1, -2, 3],
  "nested": {"a": {"b": [[], {}, "x"]}}, "esc\u0061pe\n": "\u00e9\ud83d\ude00\/\t"
})");
static_assert(sample.kind() == json::kind::object && sample.members().size() == 8);
static_assert(sample.find("model_type").equals("llama") && !sample.find("model_type").equals("llam"));
static_assert(!sample.find("model_type").equals("llamas") && !sample.find("hidden_size").equals("576"));
static_assert(*sample.find("hidden_size").as_integer<int>() == 576 && *sample.find("eps").as_number() == 1e-05);
static_assert(*sample.find("tied").as_bool() && sample.find("scaling").is_null() && !sample.find("no such key"));
static_assert(sample.find("escape\n").equals("\xC3\xA9\xF0\x9F\x98\x80/\t"));
static_assert(sample.find("nested").find("a").find("b").elements().size() == 3);
static_assert(!sample.find("nested").find("z").find("b").find("c"));

constexpr int sum_of_ids() {
  int sum = 0;
  for (const json::value v : sample.find("ids").elements()) sum = 10 * sum + *v.as_integer<int>();
  return sum;
}
static_assert(sum_of_ids() == 83);

}  // namespace

TEST_CASE("JSON is what RFC 8259 says, to the letter", "[core]") {
  json_cases::for_each_accepted([](std::string_view text) {
    INFO(text);
    const auto r = json::parse(text);
    INFO(explain(r.error()).text);
    CHECK(r);
  });
  json_cases::for_each_refused([](std::string_view text) {
    INFO(text);
    const auto r = json::parse(text);
    CHECK_FALSE(r);
    CHECK(std::strncmp(r.error().what, "ctlm: ", 6) == 0);
    CHECK(r.error().where <= text.size());
  });
}

TEST_CASE("JSON has limits of depth and of size", "[core]") {
  CHECK(accepts(nested(64)));
  CHECK(refusal(nested(65)).code == errc::unsupported);
  CHECK(accepts(nested(64, "{\"a\":", "}")));
  CHECK(refusal(nested(65, "{\"a\":", "}")).where == 64 * 5);
  CHECK(json::parse(nested(3), {.depth = 3}));
  CHECK(refusal(nested(4), {.depth = 3}).had == 3);
  CHECK(json::parse("1", {.depth = 0}));
  CHECK(refusal("[]", {.depth = 0}).needed == 1);
  CHECK(json::parse(nested(128), {.depth = 128}));
  CHECK(refusal("1", {.depth = 129}).code == errc::invalid_argument);
  CHECK(refusal(nested(100'000)).code == errc::unsupported);
  CHECK(refusal(nested(100'000, "[", "")).code == errc::unsupported);
  CHECK(json::parse("[1,2]", {.bytes = 5}));
  const failure large = refusal("[1,2]", {.bytes = 4});
  CHECK(large.code == errc::unsupported);
  CHECK((large.needed == 5 && large.had == 4));
}

TEST_CASE("a refusal of JSON says where", "[core]") {
  auto says = [](std::string_view text, errc code, std::size_t where, const char* words) {
    const failure f = refusal(text);
    CHECK(f.code == code);
    CHECK(f.where == where);
    CHECK_THAT(std::string(explain(f)), Catch::Contains(words));
  };
  says("[1,]", errc::corrupt, 3, "a value was expected at byte 3");
  says("[1 2]", errc::corrupt, 3, "a comma or a closing bracket was expected at byte 3");
  says("{\"a\" 1}", errc::corrupt, 5, "a colon was expected at byte 5");
  says("{1:1}", errc::corrupt, 1, "a key in double quotes was expected at byte 1");
  says("[012]", errc::corrupt, 1, "begins with a zero too many");
  says("[1.]", errc::corrupt, 3, "a digit was expected at byte 3");
  says("\"a\tb\"", errc::corrupt, 2, "the control character at byte 2");
  says("\"ab\\x\"", errc::corrupt, 3, "the escape at byte 3");
  says("\"\\ud800\"", errc::corrupt, 1, "half of a surrogate pair");
  says("\"\\u12\"", errc::corrupt, 1, "\\u at byte 1 of this JSON text needs four hexadecimal digits");
  says("\"a\xFF\"", errc::corrupt, 2, "not UTF-8");
  says("[1] 2", errc::corrupt, 4, "goes on at byte 4");
  says("{\"a\":1,\"b\":2,\"a\":3}", errc::corrupt, 13, "the key at byte 13 of this JSON text is in its object twice");
  says("[1, ", errc::truncated, 4, "ends too early");
  says("[\"abc", errc::truncated, 1, "the string at byte 1 of this JSON text has no end");
  says("\xEF\xBB\xBF[]", errc::corrupt, 0, "byte order mark");
}

TEST_CASE("every beginning of a JSON text is refused, and so is whatever follows it", "[core]") {
  const std::string text =
      R"({"a": [1, -2.5e+3, "\u00e9\ud83d\ude00\n", true, false, null, {}], "b": {"c": [[]], "d": ""}, "é": 0})";
  REQUIRE(accepts(text));
  for (std::size_t n = 0; n < text.size(); ++n) {
    INFO(n);
    CHECK_FALSE(accepts(text.substr(0, n)));
  }
  CHECK_FALSE(accepts(text + "x"));
  CHECK(accepts(text + "\n"));
  for (std::size_t i = 0; i < text.size(); ++i)  // whatever a byte becomes: accepted or refused, and values stay inside
    for (int b = 0; b < 256; ++b) {
      std::string other = text;
      other[i] = static_cast<char>(b);
      const auto r = json::parse(other);
      if (!r) continue;
      std::size_t n = 0;
      for (const auto [key, v] : r->members()) n += text_of(key).size() + v.written().size() + v.elements().size();
      REQUIRE(n <= 2 * text.size());
    }
}

TEST_CASE("values of a text that has changed since it was read stay inside it", "[core]") {
  const std::string text = R"({"a": [1, {"b": "\u0041"}, 3], "c": -1.5e3})";
  std::string changing = text;
  const auto v = json::parse(changing).value();
  rng random{7};
  for (int round = 0; round < 20'000; ++round) {
    changing = text;
    for (int i = 0; i < 3; ++i) changing[random.below(text.size())] = "\"\\[]{},:u-.e1 \x80"[random.below(15)];
    std::size_t n = 0;
    for (const auto [key, value] : v.members()) {
      key.decode([&](char) { ++n; });
      (void)value.as_number();
      (void)value.as_integer<int>();
      for (const json::value e : value.elements()) n += e.find("b").decode([](char) {}) + e.members().size();
    }
    REQUIRE(n < 10 * text.size());
  }
}

TEST_CASE("JSON integers are exact or refused", "[core]") {
  auto parsed = [](std::string_view text) { return json::parse(text).value(); };
  CHECK(*parsed("18446744073709551615").as_integer<std::uint64_t>() == ~std::uint64_t{0});
  CHECK(parsed("18446744073709551616").as_integer<std::uint64_t>().error().code == errc::unsupported);
  CHECK(parsed("1180591620717411303424").as_integer<std::size_t>().error().code == errc::unsupported);  // 2^70
  CHECK(*parsed("9223372036854775807").as_integer<std::int64_t>() == std::numeric_limits<std::int64_t>::max());
  CHECK_FALSE(parsed("9223372036854775808").as_integer<std::int64_t>());
  CHECK(*parsed("-9223372036854775808").as_integer<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
  CHECK_FALSE(parsed("-9223372036854775809").as_integer<std::int64_t>());
  for (int n = -400; n <= 400; ++n) {
    const std::string text = std::to_string(n);
    CHECK(static_cast<bool>(parsed(text).as_integer<std::int8_t>()) == (n >= -128 && n <= 127));
    CHECK(static_cast<bool>(parsed(text).as_integer<std::uint8_t>()) == (n >= 0 && n <= 255));
    if (n >= -128 && n <= 127) CHECK(*parsed(text).as_integer<std::int8_t>() == n);
    if (n >= 0 && n <= 255) CHECK(*parsed(text).as_integer<std::uint8_t>() == n);
  }
  CHECK(*parsed("-0").as_integer<unsigned>() == 0);
  CHECK_FALSE(parsed("-1").as_integer<unsigned>());
  for (const char* no : {"1.0", "1e3", "0.5", "-1.5"})
    CHECK(parsed(no).as_integer<int>().error().code == errc::corrupt);
  for (const char* no : {"null", "true", "\"1\"", "[1]", "{}"}) {
    CHECK(parsed(no).as_integer<int>().error().code == errc::corrupt);
    CHECK(parsed(no).as_number().error().code == errc::corrupt);
  }
  CHECK(parsed("1").as_bool().error().code == errc::corrupt);
  CHECK(json::value().as_bool().error().code == errc::corrupt);
  CHECK_FALSE(json::value().as_integer<int>());
  CHECK_FALSE(json::value().as_number());
  CHECK_FALSE(json::value().equals(""));
}

TEST_CASE("JSON numbers are the nearest ones", "[core]") {
  auto check_one = [](const std::string& text) {
    const json::value v = json::parse(text).value();
    const double wanted = std::strtod(text.c_str(), nullptr);
    const float wanted_float = std::strtof(text.c_str(), nullptr);
    const auto found = v.as_number();
    const auto found_float = v.as_number<float>();
    INFO(text);
    REQUIRE(static_cast<bool>(found) == std::isfinite(wanted));
    REQUIRE(static_cast<bool>(found_float) == std::isfinite(wanted_float));
    if (found) REQUIRE(std::memcmp(&*found, &wanted, sizeof wanted) == 0);
    if (found_float) REQUIRE(std::memcmp(&*found_float, &wanted_float, sizeof wanted_float) == 0);
  };
  std::mt19937_64 random(1);
  char text[1500];
  for (int i = 0; i < 100'000; ++i) {
    const auto x = bits<double>(random());
    if (!std::isfinite(x)) continue;
    std::snprintf(text, sizeof text, "%.*e", static_cast<int>(random() % 22), x);
    check_one(text);
    if (i % 50 != 0) continue;
    // Exactly between two doubles, and a little more than that.
    const long double middle = x / 2.0L + std::nextafter(x, 0.0) / 2.0L;
    std::snprintf(text, sizeof text, "%.1100Le", middle);
    check_one(text);
    if (char* const e = std::strchr(text, 'e')) e[-1] = '1';
    check_one(text);
  }
  for (int i = 0; i < 20'000; ++i) {
    std::snprintf(text, sizeof text, "%.*e", static_cast<int>(random() % 12),
                  static_cast<double>(bits<float>(random() & 0xFF7FFFFFu)));
    check_one(text);
    std::snprintf(text, sizeof text, "%llu.%llue%d", static_cast<unsigned long long>(random() >> random() % 64),
                  static_cast<unsigned long long>(random() >> random() % 64), static_cast<int>(random() % 700) - 350);
    check_one(text);
  }
  for (const char* edge :
       {"0", "-0", "0e999999999999999999999", "1e-99999999999999999999", "2.4703282292062327e-324",
        "2.4703282292062328e-324", "1.7976931348623158e308", "1.7976931348623159e308", "9007199254740993",
        "9007199254740992.99999999999999999999999999", "1e22", "1e23", "2.2250738585072011e-308"})
    check_one(edge);
  check_one("0." + std::string(100'000, '0') + "1e100001");
  check_one(std::string(1000, '9') + "e-900");
  check_one("1" + std::string(100'000, '0') + "1e-100001");
  CHECK(json::parse("1e400")->as_number().error().code == errc::unsupported);
  CHECK(*json::parse("1e-400")->as_number() == 0);
  CHECK(json::parse("1e39")->as_number<float>().error().needed == 32);
}

TEST_CASE("strings of JSON are the bytes that their escapes stand for", "[core]") {
  const std::string text =
      R"(["\u0000", "\u007f\u0080\u07ff\u0800\uffff\ud800\udc00\udbff\udfff", "\"\\\/\b\f\n\r\t", "ä"])";
  const auto v = json::parse(text).value();
  std::vector<std::string> found;
  for (const json::value s : v.elements()) found.push_back(text_of(s));
  REQUIRE(found.size() == 4);
  CHECK(found[0] == std::string(1, '\0'));
  CHECK(found[1] == "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
  CHECK(found[2] == "\"\\/\b\f\n\r\t");
  CHECK(found[3] == "ä");
  CHECK((*v.elements().begin()).equals(std::string_view("\0", 1)));
  CHECK(text_of(v).empty());
  // Every character: through an escape, and as it is.
  for (std::uint32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 61) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const utf8_character u = utf8_of(c);
    const std::string bytes(u.bytes, u.length);
    REQUIRE(utf8_length(bytes, 0) == u.length);
    char escaped[32];
    if (c < 0x10000)
      std::snprintf(escaped, sizeof escaped, "\"\\u%04x\"", c);
    else
      std::snprintf(escaped, sizeof escaped, "\"\\u%04X\\u%04X\"", 0xD800 + ((c - 0x10000) >> 10),
                    0xDC00 + (c & 0x3FF));
    REQUIRE(json::parse(escaped)->equals(bytes));
    if (c >= 0x20 && c != '"' && c != '\\') REQUIRE(json::parse("\"" + bytes + "\"")->equals(bytes));
  }
}

TEST_CASE("keys of large objects are compared in the memory that is lent for it", "[core]") {
  auto object = [](std::size_t keys, std::size_t repeated) {
    std::string text = "{";
    for (std::size_t i = 0; i < keys; ++i)
      text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i + 1 == keys ? repeated : i) + "\":[{}," + std::to_string(i) +
              "]";
    return text + "}";
  };
  CHECK(accepts(object(256, 999)));
  CHECK(refusal(object(256, 17)).where == object(256, 17).rfind("\"k17\""));
  const failure f = refusal(object(257, 999));
  CHECK(f.code == errc::out_of_memory);
  CHECK((f.needed == 257 && f.had == 256));
  CHECK(json::parse(object(1000, 9999), {}, json::fixed_keys<1000>()));
  for (std::size_t repeated : {0, 1, 500, 998})
    CHECK_FALSE(json::parse(object(1000, repeated), {}, json::fixed_keys<1000>()));

  std::vector<json::key_record> room;
  std::size_t asked = 0;
  auto heap = [&](std::size_t n) {
    asked = larger(asked, n);
    room.resize(larger(room.size(), n));
    return span<json::key_record>(room);
  };
  const std::string vocabulary = object(150'000, 999'999);
  const auto start = std::chrono::steady_clock::now();
  const auto v = json::parse(vocabulary, {}, heap);
  REQUIRE(v);
  CHECK(asked == 150'000);
  CHECK_FALSE(json::parse(object(150'000, 77'777), {}, heap));
  // Comparing each with each would take minutes.
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 20);
  std::size_t members = 0;
  for (const auto [key, value] : v->members()) members += !value.is_null() && key.kind() == json::kind::string;
  CHECK(members == 150'000);
}
