// SPDX-License-Identifier: MIT
// ctlm: what the patterns that cut text into words have in common: runs of characters of a kind, white space before a
// word, English contractions. A pattern's end_of(text, i) is where the match that begins at i ends.
#pragma once

#include "../characters.hpp"

#include <initializer_list>

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

using namespace unicode_detail;

// Reads the characters of one text; kinds(code) is the set of a character alone, and so is kinds.of_ascii(letter), if
// it is there.
template <class Kinds>
class basic_reader {
 public:
  constexpr basic_reader(span<const char> text, Kinds kinds) : text_(text), kinds_(kinds) {}

  constexpr std::size_t size() const { return text_.size(); }
  constexpr char byte(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  // The kind of the character at i, and its length; no kind at the end.
  constexpr category_set kind(std::size_t i, std::size_t& length) const {
    if (i >= text_.size()) return length = 0, category_set{0};
    if constexpr (requires { kinds_.of_ascii('a'); })
      if (static_cast<unsigned char>(text_[i]) < 0x80) return length = 1, kinds_.of_ascii(text_[i]);
    const character c = read_character(text_, i);
    length = c.length;
    return kinds_(c.code);
  }
  // Where a run of characters of these kinds ends that begins at i; of at most `most`.
  constexpr std::size_t run(std::size_t i, category_set kinds, std::size_t most = ~std::size_t{0}) const {
    for (std::size_t length = 0; most > 0 && (kind(i, length) & kinds) != 0; --most) i += length;
    return i;
  }
  // The place after an apostrophe at i and s, t, re, ve, m, ll or d; i if there is none.
  constexpr std::size_t contraction(std::size_t i, bool any_case) const {
    if (byte(i) != '\'') return i;
    const auto at = [&](std::size_t n) {
      const char c = byte(i + n);
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char first = at(1), second = at(2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return i + 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
      return i + 3;
    const bool long_s = any_case && byte(i + 1) == '\xC5' && byte(i + 2) == '\xBF';  // U+017F, whose capital is S, too
    return long_s ? i + 3 : i;
  }
  // \s+(?!\S)|\s+ at i: white space up to its last character, which belongs to the word behind it.
  constexpr std::size_t space(std::size_t i) const {
    const std::size_t end = run(i, white);
    if (end == text_.size() || end == i) return end;
    const std::size_t last = i + begin_of_last(text_.subspan(i, end - i));
    return last > i ? last : end;
  }
  // \s*[\r\n]+ at i; i where there is no such thing.
  constexpr std::size_t lines(std::size_t i) const {
    const std::size_t end = run(i, white);
    for (std::size_t e = end; e > i; --e)
      if (text_[e - 1] == '\r' || text_[e - 1] == '\n') return e;
    return i;
  }
  constexpr std::size_t while_one_of(std::size_t i, const char* bytes) const {
    for (; i < text_.size(); ++i) {
      const char* b = bytes;
      while (*b != '\0' && *b != text_[i]) ++b;
      if (*b == '\0') break;
    }
    return i;
  }

 private:
  span<const char> text_;
  Kinds kinds_;
};

inline constexpr category_set visible = ~(white | letters | numbers);  // [^\s\p{L}\p{N}]

}}}  // namespace ctlm::pattern_detail
