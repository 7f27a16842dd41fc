// SPDX-License-Identifier: MIT
// ctlm: what tokenizers ask of characters beside characters.hpp: category, small forms. Tables: unicode_tables.hpp.
#pragma once

#include "characters.hpp"
#include "unicode_tables.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI { namespace unicode_detail {

inline character character_at(std::string_view text, std::size_t at) {
  return read_character(span<const char>(text.data(), text.size()), at);
}
inline std::size_t last_character(std::string_view text) {
  return begin_of_last(span<const char>(text.data(), text.size()));
}
inline void append(std::string& to, std::uint32_t code) {
  const utf8_character u = utf8_of(code);
  to.append(u.bytes, u.length);
}

// The runs, unfolded into blocks of 256 characters; blocks that are equal are kept once.
class unfolded {
 public:
  unfolded() {
    std::uint8_t block[256];
    std::size_t c = 0;
    for (const std::uint32_t run : category_runs)
      for (std::uint32_t n = run / 32; n > 0; --n, ++c) {
        block[c % 256] = is_white_space(static_cast<std::uint32_t>(c)) ? std::uint8_t{30} : std::uint8_t(run % 32);
        if (c % 256 == 255) keep(c / 256, block);
      }
    for (std::uint32_t a = 0; a < 128; ++a) ascii_[a] = category_set{1} << (*this)[a];
  }
  std::uint8_t operator[](std::uint32_t c) const {
    return c < no_character ? blocks_[block_of_[c >> 8]][c & 255u] : std::uint8_t{31};
  }
  // The sets of ASCII.
  const category_set* ascii() const { return ascii_; }

 private:
  void keep(std::size_t place, const std::uint8_t (&block)[256]) {
    std::size_t i = 0;
    while (i < used_ && !std::equal(block, block + 256, blocks_[i])) ++i;
    if (i == used_) std::copy(block, block + 256, blocks_[used_++]);
    block_of_[place] = static_cast<std::uint8_t>(i);
  }

  std::uint8_t blocks_[category_blocks + 8][256]{}, block_of_[0x1100]{};
  category_set ascii_[128]{};
  std::size_t used_ = 0;
};
static_assert(category_blocks + 8 <= 256);

inline const unfolded& categories() {
  static const unfolded table;
  return table;
}
// The set of a character alone: one bit.
inline category_set kind_of(const unfolded& table, std::uint32_t c) { return category_set{1} << table[c]; }

// Whether a character lies in one of the pairs (first, last) of a table.
template <std::size_t N>
bool is_in(const std::uint32_t (&pairs)[N], std::uint32_t c) {
  const std::uint32_t* const above = std::upper_bound(pairs, pairs + N, c);
  const auto n = above - pairs;
  return n % 2 == 1 || (n > 0 && above[-1] == c);
}

inline bool is_number(std::uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return (kind_of(categories(), c) & numbers) != 0 || is_in(newer_digits, c);
}
// What regular expressions call \w: letters, marks, digits, connectors and joiners.
inline bool is_word(std::uint32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  if (c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9)) return true;
  if ((c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189)) return true;
  return (kind_of(categories(), c) & (letters | marks | set_of(nd, nl, pc))) != 0;
}
// The small form, or the character itself. Of one alone, U+0130, it is two characters: `then` is the second.
inline std::uint32_t lower_of(std::uint32_t c, std::uint32_t& then) {
  then = 0;
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c == 0x130) return then = 0x307, 'i';
  constexpr std::size_t rows = std::size(lower_runs) / 4;
  std::size_t low = 0, high = rows;  // the first run that ends at c or behind it
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    static_cast<std::uint32_t>(lower_runs[4 * middle + 1]) < c ? low = middle + 1 : high = middle;
  }
  if (low == rows) return c;
  const std::int32_t* const run = lower_runs + 4 * low;
  const auto code = static_cast<std::int32_t>(c);
  return code >= run[0] && (code - run[0]) % run[2] == 0 ? static_cast<std::uint32_t>(code + run[3]) : c;
}

inline bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}}}  // namespace ctlm::unicode_detail
