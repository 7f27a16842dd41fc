// json::parse: any bytes are refused, or every value of them can be read: numbers are those of strtod, keys are found
// again, and no part of the text is accepted as the whole. The first byte says how deep values may be.
#include "fuzz.hpp"

#include <cmath>

using namespace ctlm;

namespace {

void check_number(const json::value& v) {
  const auto text = v.written();
  const double wanted = std::strtod(std::string(text.data(), text.size()).c_str(), nullptr);
  const auto found = v.as_number();
  fuzz::require(static_cast<bool>(found) == std::isfinite(wanted), "a number is refused if it is too large");
  if (found) fuzz::require(std::memcmp(&*found, &wanted, sizeof wanted) == 0, "numbers are the nearest ones");
  if (const auto n = v.as_integer<std::int64_t>())
    fuzz::require(*n == std::strtoll(text.data(), nullptr, 10), "integers are exact");
  else
    fuzz::require_words(n.error());
}

/// Visits a value and all in it; returns how many values that is.
std::size_t visit(const json::value& v) {
  std::size_t n = 1;
  switch (v.kind()) {
    case json::kind::object:
      for (const auto [key, value] : v.members()) {
        std::string name;
        key.decode([&](char c) { name += c; });
        fuzz::require(v.find(name).where() == value.where(), "a key is found again");
        n += visit(value);
      }
      break;
    case json::kind::array:
      for (const json::value e : v.elements()) n += visit(e);
      break;
    case json::kind::string: {
      std::string s;
      v.decode([&](char c) { s += c; });
      fuzz::require(v.equals(s), "a string is what it stands for");
      for (std::size_t at = 0, k = 0; at < s.size(); at += k)
        fuzz::require((k = utf8_length(s, at)) > 0, "a string is UTF-8");
      break;
    }
    case json::kind::number:
      check_number(v);
      break;
    default:
      fuzz::require(v.is_null() || v.as_bool(), "what is left is true, false or null");
  }
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::size_t depth = in.number<std::uint8_t>() % 32;
  const std::string text = in.rest();
  const auto parsed = json::parse(text, {.depth = depth}, heap_keys());
  if (!parsed) {
    fuzz::require_words(parsed.error());
    fuzz::require(parsed.error().where <= text.size(), "a failure is somewhere in the text");
    return 0;
  }
  fuzz::require(visit(*parsed) <= text.size(), "a value has at least one character");
  if (parsed->kind() >= json::kind::string)  // whose end is a character of its own
    fuzz::require(!json::parse(text.substr(0, text.find_last_not_of(" \t\r\n"))), "no beginning is the whole");
  return 0;
}

void fuzz::seeds(const std::function<void(const std::string&)>& keep) {
  for (const char* text :
       {"{\"a\": [1, -2.5e+3, \"\\u00e9\\ud83d\\ude00\\n\", true, false, null, {}], \"b\": {\"c\": [[]], \"d\": \"\"}}",
        "[0, -0, 0.1, 1e-7, 123456789012345678901234567890, 4.9e-324, 1.7976931348623157e308, 1e400]",
        "{\"\xC3\xA9\": 1, \"\\u00ea\": 2, \"\xF0\x9F\x98\x80\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
        "[[[[[[[[[[[[]]]]]]]]]]]]",
        "{\"model_type\":\"llama\",\"hidden_size\":576,\"rms_norm_eps\":1e-05,\"rope_scaling\":null}", "\"\"",
        " null "})
    keep('\x14' + std::string(text));
}
