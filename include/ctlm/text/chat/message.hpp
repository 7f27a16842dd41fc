// SPDX-License-Identifier: MIT
// ctlm: a conversation as text: who says what, and what the templates of models have in common.
#pragma once

#include "../../core/result.hpp"
#include "../../core/span.hpp"

#include <string>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI {

/// What somebody says in a conversation.
struct chat_message {
  std::string role;     ///< "system", "user" or "assistant"
  std::string content;  ///< in UTF-8
};

/// What a template may ask of a tokenizer: how tokens are spelt that begin and end a text.
struct chat_tokens {
  std::string bos;  ///< `<s>`, say; empty: there is none
  std::string eos;  ///< `</s>`, say
};

namespace chat_detail {

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// Without white space at the ends, as Python's strip() and Jinja's trim have it for ASCII.
inline std::string_view trimmed(std::string_view s) {
  constexpr std::string_view white = " \t\n\r\v\f";
  const std::size_t first = s.find_first_not_of(white);
  return first == std::string_view::npos ? std::string_view() : s.substr(first, s.find_last_not_of(white) - first + 1);
}

// A text inside of Jinja's quotation marks: \n and the like are characters.
inline std::string unescaped(std::string_view s) {
  std::string text;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const bool escape = s[i] == '\\' && i + 1 < s.size();
    if (escape) ++i;
    text += escape && s[i] == 'n' ? '\n' : escape && s[i] == 't' ? '\t' : s[i];
  }
  return text;
}

inline failure wrong_turn(const char* what, std::size_t which) { return {errc::invalid_argument, what, which}; }

// A system message, if there is one first; then user and assistant in turn, the user last or not.
struct turns {
  const chat_message* system = nullptr;
  span<const chat_message> rest;

  static result<turns> of(span<const chat_message> messages) {
    turns t;
    t.rest = messages;
    if (!messages.empty() && messages[0].role == "system") {
      t.system = &messages[0];
      t.rest = messages.subspan(1);
    }
    for (std::size_t i = 0; i < t.rest.size(); ++i)
      if (t.rest[i].role != (i % 2 == 0 ? "user" : "assistant"))
        return wrong_turn(
            "ctlm: message {where} of this conversation is out of turn: user and assistant take turns, "
            "behind a system message if there is one",
            i + (t.system != nullptr ? 1 : 0));
    return t;
  }
};

}  // namespace chat_detail

}}  // namespace ctlm
