// SPDX-License-Identifier: MIT
// ctlm: the words of bpe: a run of letters, of digits or of other visible characters, with one space before it if there
// is one; or a run of white space. Bytes above 127 are letters.
#pragma once

#include "../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace bpe_detail {

enum class kind : std::uint8_t { letter, digit, white, other };

constexpr kind kind_of(char c) {
  const auto u = static_cast<unsigned char>(c);
  if ((u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u >= 128) return kind::letter;
  if (u >= '0' && u <= '9') return kind::digit;
  return u == ' ' || (u >= 9 && u <= 13) ? kind::white : kind::other;
}

// Where the word that begins at `first` ends; first < text.size().
constexpr std::size_t end_of_word(span<const char> text, std::size_t first) {
  const auto visible = [&](std::size_t i) { return i < text.size() && kind_of(text[i]) != kind::white; };
  std::size_t i = text[first] == ' ' && visible(first + 1) ? first + 1 : first;
  for (const kind k = kind_of(text[i]); i < text.size() && kind_of(text[i]) == k; ++i)
    // The last space of a run belongs to the word after it.
    if (k == kind::white && i > first && text[i] == ' ' && visible(i + 1)) break;
  return i;
}

}}}  // namespace ctlm::bpe_detail
