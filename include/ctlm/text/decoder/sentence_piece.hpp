// SPDX-License-Identifier: MIT
// ctlm: how SentencePiece makes a text of tokens: letters become spaces, bytes characters, and the first space goes.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct sentence_piece {
  static constexpr bool fuses = true;
  std::string unknown, unknown_text;  // how the unknown token is spelt, and what it is as a text
  bool drops_space = true;            // that the text begins with: one, or all if `drops_all`
  bool drops_all = true;

  template <class F>
  void push(state& s, std::string_view token, F f) const {
    if (const int byte = model_detail::byte_of_code(token); byte >= 0) {
      s.held += static_cast<char>(static_cast<unsigned char>(byte));
      return give_bytes(s, false, f);
    }
    give_bytes(s, true, f);
    if (token == unknown) return give(s, unknown_text, f);
    constexpr std::string_view mark = "\xE2\x96\x81";
    if (drops_space && s.tokens == 0 && token.starts_with(mark)) {
      token.remove_prefix(mark.size());
      if (!drops_all) s.tokens = 1;
    }
    std::string text;
    for (std::size_t i = 0; i < token.size();) {
      const bool is_mark = token.substr(i).starts_with(mark);
      text += is_mark ? ' ' : token[i];
      i += is_mark ? mark.size() : 1;
    }
    give(s, text, f);
  }
  template <class F>
  void finish(state& s, F f) const {
    give_bytes(s, true, f);
  }

 private:
  // s.tokens: 0 until a space at the beginning is none that goes.
  template <class F>
  static void give(state& s, std::string_view text, F& f) {
    if (text.empty()) return;
    s.tokens = 1;
    f(text);
  }
  // The characters that are whole; a byte that belongs to none is U+FFFD.
  template <class F>
  static void give_bytes(state& s, bool is_end, F& f) {
    std::string text;
    std::size_t i = 0;
    for (const std::string_view held = s.held; i < held.size();) {
      const character c = character_at(held, i);
      if (c.code == no_character && !is_end && wanted(held[i]) > held.size() - i) break;
      c.code == no_character ? text.append("\xEF\xBF\xBD") : text.append(held, i, c.length);
      i += c.length;
    }
    s.held.erase(0, i);
    give(s, text, f);
  }
  // Bytes of the character that such a byte begins.
  static std::size_t wanted(char first) {
    const auto b = static_cast<unsigned char>(first);
    return b < 0xC2 || b > 0xF4 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
  }
};

}}}  // namespace ctlm::decoder_detail
