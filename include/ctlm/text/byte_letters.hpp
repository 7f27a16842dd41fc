// SPDX-License-Identifier: MIT
// ctlm: bytes as letters: how files of tokenizers spell tokens that are bytes and not text (GPT-2's way).
#pragma once

#include "../core/types.hpp"

#include <string>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI {

/// The character that stands for a byte: itself if it can be seen, and one from U+0100 on otherwise.
constexpr std::uint32_t letter_of_byte(unsigned char byte) {
  constexpr auto is_visible = [](std::uint32_t b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  if (is_visible(byte)) return byte;
  std::uint32_t hidden = 0;  // those before it
  for (std::uint32_t b = 0; b < byte; ++b) hidden += is_visible(b) ? 0 : 1;
  return 0x100 + hidden;
}

/// Bytes spelt as letters, in UTF-8: " a" becomes "Ġa".
inline std::string letters_of_bytes(std::string_view bytes) {
  std::string letters;
  for (const char c : bytes) {
    const std::uint32_t l = letter_of_byte(static_cast<unsigned char>(c));
    if (l < 0x80) {
      letters += static_cast<char>(l);
    } else {  // all of them are below U+0800
      letters += static_cast<char>(static_cast<unsigned char>(0xC0 | l >> 6));
      letters += static_cast<char>(static_cast<unsigned char>(0x80 | (l & 0x3F)));
    }
  }
  return letters;
}

}}  // namespace ctlm
