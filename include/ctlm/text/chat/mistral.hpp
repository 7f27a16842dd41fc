// SPDX-License-Identifier: MIT
// ctlm: Mistral's templates: they differ in where spaces are, and in where the system's words go.
#pragma once

#include "message.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace chat_detail {

struct mistral {
  static constexpr const char* name = "Mistral";
  enum class system_place : std::uint8_t { none, first, last };
  std::string end, bos, opens = "[INST]", closes = "[/INST]", before_answer;
  bool trims = false;
  system_place system = system_place::none;

  static bool recognises(std::string_view t) {
    return has(t, "[INST]") && has(t, "[/INST]") && !has(t, "<<SYS>>") && !has(t, "[SYSTEM_PROMPT]");
  }
  static mistral of(std::string_view t, const chat_tokens& tokens) {
    mistral m;
    m.end = tokens.eos;
    m.bos = tokens.bos;
    const auto quotes = [&](std::string_view words) {
      return has(t, std::string("'").append(words).append("'")) || has(t, std::string("\"").append(words).append("\""));
    };
    for (const char* words : {" [INST] ", "[INST] "})
      if (m.opens == "[INST]" && quotes(words)) m.opens = words;
    if (quotes(" [/INST]")) m.closes = " [/INST]";
    for (const char* words : {"' ' + message['content']", "\" \" + message[\"content\"]", "' '  + message['content']"})
      if (has(t, words)) m.before_answer = " ";
    m.trims =
        has(t, "message[\"content\"]|trim") || has(t, "message['content']|trim") || has(t, "message['content'] | trim");
    if (has(t, "system_message"))
      m.system = has(t, "loop.last and system_message") ? system_place::last : system_place::first;
    return m;
  }
  result<void> render(span<const chat_message> messages, bool, std::string& to) const {
    const auto t = turns::of(messages);
    if (!t) return t.error();
    if (t->system != nullptr && system == system_place::none)
      return wrong_turn("ctlm: the template of this Mistral has no system message", 0);
    to.append(bos);
    const std::size_t n = t->rest.size(), place = system == system_place::first ? 0 : n - 1;
    for (std::size_t i = 0; i < n; ++i) {
      const std::string_view content = t->rest[i].content;
      if (i % 2 == 0) {
        to.append(opens);
        if (t->system != nullptr && i == place) to.append(t->system->content).append("\n\n");
        to.append(content).append(closes);
      } else {
        to.append(before_answer).append(trims ? trimmed(content) : content).append(end);
      }
    }
    return {};
  }
};

}}}  // namespace ctlm::chat_detail
