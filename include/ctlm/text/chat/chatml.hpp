// SPDX-License-Identifier: MIT
// ctlm: ChatML: SmolLM, Qwen and many others. Some have words for the system where there is no such message; Qwen 3
// leaves out what the assistant thought before its earlier answers, from <think> to </think>.
#pragma once

#include "message.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace chat_detail {

struct chatml {
  static constexpr const char* name = "ChatML";
  std::string end = "<|im_end|>";
  std::string otherwise;  // what the system says where there is no such message
  bool drops_thoughts = false;
  std::string
      unthinking;  // what the assistant's message begins with if it is not to think; empty: it has no such words

  static bool recognises(std::string_view t) {
    return has(t, "<|im_start|>") && has(t, "<|im_end|>") && !has(t, "reasoning_mode") && !has(t, "<|im_sep|>");
  }
  static chatml of(std::string_view t, const chat_tokens&) {
    chatml c;
    c.drops_thoughts = has(t, "last_query_index") && has(t, "split('</think>')");
    if (c.drops_thoughts && has(t, "enable_thinking is false")) c.unthinking = "<think>\n\n</think>\n\n";
    constexpr std::string_view begins = "<|im_start|>system";
    for (std::size_t at = t.find(begins); at != std::string_view::npos; at = t.find(begins, at + 1)) {
      std::string_view rest = t.substr(at + begins.size());
      if (!rest.starts_with("\\n") && !rest.starts_with('\n')) continue;
      rest.remove_prefix(rest[0] == '\n' ? 1 : 2);
      const std::size_t length = rest.find("<|im_end|>");
      if (length == std::string_view::npos || length == 0) continue;
      const std::string_view words = rest.substr(0, length);
      if (words.find_first_of("'\"{}+") != std::string_view::npos) continue;
      c.otherwise = unescaped(words);
      break;
    }
    return c;
  }
  result<void> render(span<const chat_message> messages, bool asks, std::string& to) const {
    const auto say = [&](std::string_view role, std::string_view content) {
      to.append("<|im_start|>").append(role).append("\n").append(content).append("<|im_end|>\n");
    };
    if (!otherwise.empty() && !messages.empty() && messages[0].role != "system") say("system", otherwise);
    const std::size_t answers = drops_thoughts ? behind_question(messages) : 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const chat_message& m = messages[i];
      if (drops_thoughts && m.role == "assistant")
        say(m.role, answer(m.content, i >= answers, i + 1 == messages.size()));
      else
        say(m.role, m.content);
    }
    if (asks) to.append("<|im_start|>assistant\n");
    return {};
  }

 private:
  // The first message behind the last one of the user's.
  static std::size_t behind_question(span<const chat_message> messages) {
    for (std::size_t i = messages.size(); i > 0; --i)
      if (messages[i - 1].role == "user" && !is_tool_response(messages[i - 1].content)) return i;
    return messages.size();
  }
  static bool is_tool_response(std::string_view s) {
    return s.starts_with("<tool_response>") && s.ends_with("</tool_response>");
  }
  static std::string_view without_lines(std::string_view s, bool in_front, bool behind) {
    while (in_front && s.starts_with('\n')) s.remove_prefix(1);
    while (behind && s.ends_with('\n')) s.remove_suffix(1);
    return s;
  }
  // What the assistant said: with its thoughts if it answers the last question and has some, or is the last to speak.
  static std::string answer(std::string_view content, bool is_current, bool is_last) {
    constexpr std::string_view begins = "<think>", ends = "</think>";
    std::string_view thoughts, said = content;
    if (const std::size_t end = content.find(ends); end != std::string_view::npos) {
      thoughts = without_lines(content.substr(0, end), false, true);
      if (const std::size_t begin = thoughts.rfind(begins); begin != std::string_view::npos)
        thoughts.remove_prefix(begin + begins.size());
      thoughts = without_lines(thoughts, true, true);
      said = without_lines(content.substr(content.rfind(ends) + ends.size()), true, false);
    }
    if (!is_current || (thoughts.empty() && !is_last)) return std::string(said);
    return std::string("<think>\n").append(thoughts).append("\n</think>\n\n").append(without_lines(said, true, false));
  }
};

}}}  // namespace ctlm::chat_detail
