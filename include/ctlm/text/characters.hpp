// SPDX-License-Identifier: MIT
// ctlm: characters of a text, and their kinds: what tokenizers on a computer and in flash have in common.
#pragma once

#include "../core/utf8.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace unicode_detail {

// A character of a text: its number and its bytes. A byte that belongs to none has the number no_character.
struct character {
  std::uint32_t code;
  std::size_t length;
};
inline constexpr std::uint32_t no_character = 0x110000;

// The character that text[at] begins; at < text.size().
constexpr character read_character(span<const char> text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i])); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  switch (utf8_length(text, at)) {
    case 2:
      return {(first & 0x1Fu) << 6 | (byte(1) & 0x3Fu), 2};
    case 3:
      return {(first & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu), 3};
    case 4:
      return {(first & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu), 4};
    default:
      return {no_character, 1};
  }
}
// Where the last character of a text that is not empty begins.
constexpr std::size_t begin_of_last(span<const char> text) {
  for (std::size_t n = 2; n <= 4 && n <= text.size(); ++n)
    if (utf8_length(text, text.size() - n) == n) return text.size() - n;
  return text.size() - 1;
}

// In the order of make_unicode_tables.py.
enum category : std::uint8_t {
  cn,
  lu,
  ll,
  lt,
  lm,
  lo,
  mn,
  mc,
  me,
  nd,
  nl,
  no,
  pc,
  pd,
  ps,
  pe,
  pi,
  pf,
  po,
  sm,
  sc,
  sk,
  so,
  zs,
  zl,
  zp,
  cc,
  cf,
  cs,
  co
};
// A set of categories, and of what is beside them: 30 is white space, 31 no character.
using category_set = std::uint32_t;
constexpr category_set set_of(auto... c) { return ((category_set{1} << c) | ...); }
inline constexpr category_set letters = set_of(lu, ll, lt, lm, lo), numbers = set_of(nd, nl, no),
                              marks = set_of(mn, mc, me), white = set_of(30), broken = set_of(31);

constexpr bool is_white_space(std::uint32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}}}  // namespace ctlm::unicode_detail
