// SPDX-License-Identifier: MIT
// ctlm: how SentencePiece changes a text: characters by a table of its own, and spaces, which become letters.
#pragma once

#include "../finder.hpp"
#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

// A precompiled table of characters: a tree of bytes as a double array (Darts), and the texts that it leads to, with a
// zero behind each. All places are checked as they are used.
class character_map {
 public:
  // The bytes of a .model: the size of the tree, the tree, the texts. False where they are not that.
  bool read(std::string_view bytes) {
    if (bytes.empty()) return true;
    if (bytes.size() < 4) return false;
    const std::size_t size = number_at(bytes, 0);
    if (size % 4 != 0 || size > bytes.size() - 4 || size < 4) return false;
    for (std::size_t i = 0; i < size; i += 4) units_.push_back(number_at(bytes, 4 + i));
    texts_.assign(bytes.substr(4 + size));
    return texts_.ends_with('\0');
  }
  struct match {
    std::size_t length = 0;  // of the text that is replaced; 0: none is
    std::string_view by;
  };
  // The longest text of the table that `text` begins with.
  match find(std::string_view text) const {
    match m;
    if (units_.empty()) return m;
    std::size_t place = offset(units_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      place ^= byte;
      if (place >= units_.size() || (units_[place] & 0x800000FFu) != byte) break;
      const std::uint32_t unit = units_[place];
      place ^= offset(unit);
      if ((unit >> 8 & 1) == 0 || place >= units_.size()) continue;
      const std::size_t value = units_[place] & 0x7FFFFFFFu;
      if (value < texts_.size()) m = {i + 1, std::string_view(texts_.data() + value)};
    }
    return m;
  }

 private:
  static std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t n = 0;
    for (std::size_t i = 4; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
    return n;
  }
  static std::size_t offset(std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & 512) >> 6); }

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

struct sentence_piece {
  character_map characters;
  finder_detail::finder kept;  // texts that stay as they are
  bool adds_space = true;      // before the text; behind it if `space_is_last`
  bool removes_spaces = true;  // those at the ends, and all but one between words
  bool marks_spaces = true;    // U+2581 in their place
  bool space_is_last = false;

  std::string_view apply(std::string_view text, std::string& buffer) const {
    buffer.clear();
    while (removes_spaces && !text.empty()) {
      const change c = next(text);
      if (c.by != " ") break;
      text.remove_prefix(c.length);
    }
    if (text.empty()) return buffer;
    if (adds_space && !space_is_last) buffer.append(space());
    bool after_space = removes_spaces;
    while (!text.empty()) {
      change c = next(text);
      text.remove_prefix(c.length);
      while (after_space && c.by.starts_with(' ')) c.by.remove_prefix(1);
      for (const char letter : c.by) letter == ' ' ? buffer.append(space()) : buffer.append(1, letter);
      if (!c.by.empty()) after_space = removes_spaces && c.by.ends_with(' ');
    }
    while (removes_spaces && buffer.ends_with(space())) buffer.resize(buffer.size() - space().size());
    if (adds_space && space_is_last) buffer.append(space());
    return buffer;
  }

 private:
  struct change {
    std::string_view by;
    std::size_t length;  // of what it replaces
  };
  std::string_view space() const { return marks_spaces ? "\xE2\x96\x81" : " "; }
  change next(std::string_view text) const {
    if (const auto m = kept.at(text, 0); m.which != finder_detail::finder::none) return {text.substr(0, m.end), m.end};
    if (const auto m = characters.find(text); m.length > 0) return {m.by, m.length};
    const character c = character_at(text, 0);
    return {c.code == no_character ? "\xEF\xBF\xBD" : text.substr(0, c.length), c.length};
  }
};

}}}  // namespace ctlm::normalizer_detail
