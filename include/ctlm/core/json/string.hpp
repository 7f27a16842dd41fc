// SPDX-License-Identifier: MIT
// ctlm: what the escapes in strings of JSON stand for.
#pragma once

#include "../utf8.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace json_detail {

enum class escape_fault : std::uint8_t { none, unknown, no_digits, half_a_pair };

/// What stands behind a backslash.
struct escape {
  std::uint32_t character = 0;
  std::size_t length = 0;  // bytes behind the backslash
  escape_fault fault = escape_fault::none;
};

/// Four hexadecimal digits, or -1.
constexpr std::int32_t four_digits(span<const char> text, std::size_t at) {
  if (text.size() < 4 || at > text.size() - 4) return -1;
  std::int32_t n = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    if (c >= '0' && c <= '9')
      n = n * 16 + (c - '0');
    else if (c >= 'a' && c <= 'f')
      n = n * 16 + (c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      n = n * 16 + (c - 'A' + 10);
    else
      return -1;
  }
  return n;
}

/// uXXXX, or uXXXX\uXXXX for a character of more than 16 bits. `at` is behind the u.
constexpr escape read_unicode(span<const char> text, std::size_t at) {
  using enum escape_fault;
  const std::int32_t first = four_digits(text, at);
  if (first < 0) return {0, 0, no_digits};
  if (first < 0xD800 || first > 0xDFFF) return {static_cast<std::uint32_t>(first), 5};
  if (first > 0xDBFF || at + 6 > text.size() || text[at + 4] != '\\' || text[at + 5] != 'u') return {0, 0, half_a_pair};
  const std::int32_t second = four_digits(text, at + 6);
  if (second < 0xDC00 || second > 0xDFFF) return {0, 0, second < 0 ? no_digits : half_a_pair};
  return {static_cast<std::uint32_t>(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)), 11};
}

/// `at` is behind the backslash.
constexpr escape read_escape(span<const char> text, std::size_t at) {
  constexpr const char* names = "\"\\/bfnrt";
  constexpr const char* characters = "\"\\/\b\f\n\r\t";
  if (at < text.size() && text[at] == 'u') return read_unicode(text, at + 1);
  for (std::size_t i = 0; at < text.size() && names[i] != '\0'; ++i)
    if (text[at] == names[i]) return {static_cast<std::uint32_t>(characters[i]), 1};
  return {0, 0, escape_fault::unknown};
}

/// The bytes that a string stands for, one after the other. Whatever the text holds, it is not left.
class bytes_of_string {
 public:
  /// `text`: what is between the quotes.
  constexpr explicit bytes_of_string(span<const char> text) : text_(text) {}

  /// The next byte as a number from 0 to 255, or -1 behind the last one.
  constexpr int next() {
    if (taken_ < character_.length) return static_cast<unsigned char>(character_.bytes[taken_++]);
    if (at_ >= text_.size()) return -1;
    const char c = text_[at_++];
    if (c != '\\') return static_cast<unsigned char>(c);
    const escape e = read_escape(text_, at_);
    if (e.fault != escape_fault::none) return -1;
    at_ += e.length;
    character_ = utf8_of(e.character);
    taken_ = 1;
    return static_cast<unsigned char>(character_.bytes[0]);
  }

 private:
  span<const char> text_;
  std::size_t at_ = 0;
  utf8_character character_{};
  std::size_t taken_ = 0;
};

/// Less than, equal to or greater than zero, as the bytes of a string come before, are or come behind those of another.
constexpr int compare(bytes_of_string a, bytes_of_string b) {
  for (;;) {
    const int from_a = a.next(), from_b = b.next();
    if (from_a != from_b || from_a < 0) return from_a - from_b;
  }
}

}}}  // namespace ctlm::json_detail
