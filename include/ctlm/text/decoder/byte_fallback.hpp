// SPDX-License-Identifier: MIT
// ctlm: tokens like <0x0A> as bytes. Those that follow each other are a text, or U+FFFD each: so they wait for the
// first token that is none.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct byte_fallback {
  static constexpr const char* type = "ByteFallback";

  static result<byte_fallback> read(const json::value&) { return byte_fallback{}; }
  template <class F>
  void push(state& s, std::string_view token, F f) const {
    if (const int byte = model_detail::byte_of_code(token); byte >= 0) {
      s.held += static_cast<char>(static_cast<unsigned char>(byte));
      return;
    }
    finish(s, f);
    f(token);
  }
  template <class F>
  void finish(state& s, F f) const {
    if (s.held.empty()) return;
    bool whole = true;
    for (std::size_t i = 0; whole && i < s.held.size();) {
      const character c = character_at(s.held, i);
      whole = c.code != no_character;
      i += c.length;
    }
    const std::string bytes = static_cast<std::string&&>(s.held);
    s.held.clear();
    if (whole) return f(std::string_view(bytes));
    for (std::size_t i = 0; i < bytes.size(); ++i) f(std::string_view("\xEF\xBF\xBD"));
  }
};

}}}  // namespace ctlm::decoder_detail
