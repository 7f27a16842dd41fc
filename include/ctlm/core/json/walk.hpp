// SPDX-License-Identifier: MIT
// ctlm: from one value of a JSON text to the next. The text has been validated (validate.hpp); if it was changed since
// then, in a mapped file, these functions return nonsense, but places inside it.
#pragma once

#include "../span.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace json_detail {

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The first place from `at` on that is not white space.
constexpr std::size_t behind_space(span<const char> text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

/// The place behind the string whose opening quote is at `at`.
constexpr std::size_t behind_string(span<const char> text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return smaller(at + 1, text.size());
}

/// The place behind the value that begins at `at`, of whatever kind.
constexpr std::size_t behind_value(span<const char> text, std::size_t at) {
  auto ends_word = [](char c) { return is_space(c) || c == ',' || c == ':' || c == ']' || c == '}'; };
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = behind_string(text, at);
    } else if (c == '[' || c == '{') {
      ++depth;
      ++at;
    } else if (ends_word(c)) {
      if ((c == ']' || c == '}') && depth > 0) --depth;
      ++at;
    } else {
      while (at < text.size() && !ends_word(text[at])) ++at;
    }
    if (depth == 0) break;
  }
  return at;
}

/// From behind a value to where the next one of its array or object begins, or to the closing bracket.
constexpr std::size_t next_value(span<const char> text, std::size_t at) {
  at = behind_space(text, at);
  return at < text.size() && text[at] == ',' ? behind_space(text, at + 1) : at;
}

/// From behind a key to its value.
constexpr std::size_t value_of_key(span<const char> text, std::size_t at) {
  return behind_space(text, smaller(behind_space(text, at) + 1, text.size()));
}

}}}  // namespace ctlm::json_detail
