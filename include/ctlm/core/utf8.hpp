// SPDX-License-Identifier: MIT
// ctlm: characters of Unicode as bytes of UTF-8 (RFC 3629).
#pragma once

#include "span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Bytes of the character that text[at] begins, 1 to 4; 0 if it begins none: bytes that are cut off or misplaced, a
/// character longer than it need be, half of a surrogate pair, or a number above 0x10FFFF.
constexpr std::size_t utf8_length(span<const char> text, std::size_t at) {
  auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  auto follow = [&](std::size_t n) {
    for (std::size_t i = 1; i < n; ++i)
      if ((byte(i) & 0xC0u) != 0x80u) return std::size_t{0};
    return n;
  };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return at < text.size() ? 1 : 0;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return follow(2);
  if (first < 0xF0) {
    const bool overlong = first == 0xE0 && second < 0xA0, surrogate = first == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : follow(3);
  }
  const bool overlong = first == 0xF0 && second < 0x90, too_large = first == 0xF4 && second > 0x8F;
  return first > 0xF4 || overlong || too_large ? 0 : follow(4);
}

/// A character's bytes.
struct utf8_character {
  char bytes[4]{};
  std::size_t length = 0;
};

/// Of a number up to 0x10FFFF that is no half of a surrogate pair.
constexpr utf8_character utf8_of(std::uint32_t c) {
  utf8_character u;
  auto put = [&](std::uint32_t byte) { u.bytes[u.length++] = static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0u | c >> 6);
  } else if (c < 0x10000) {
    put(0xE0u | c >> 12);
    put(0x80u | (c >> 6 & 0x3Fu));
  } else {
    put(0xF0u | c >> 18);
    put(0x80u | (c >> 12 & 0x3Fu));
    put(0x80u | (c >> 6 & 0x3Fu));
  }
  if (c >= 0x80) put(0x80u | (c & 0x3Fu));
  return u;
}

}}  // namespace ctlm
