// SPDX-License-Identifier: MIT
// ctlm: ChatML: SmolLM, Qwen and many others. Some have words for the system where there is no such message.
#pragma once

#include "message.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace chat_detail {

struct chatml {
  static constexpr const char* name = "ChatML";
  std::string end = "<|im_end|>";
  std::string otherwise;  // what the system says where there is no such message

  static bool recognises(std::string_view t) {
    return has(t, "<|im_start|>") && has(t, "<|im_end|>") && !has(t, "reasoning_mode") && !has(t, "<|im_sep|>");
  }
  static chatml of(std::string_view t, const chat_tokens&) {
    chatml c;
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
    for (const chat_message& m : messages) say(m.role, m.content);
    if (asks) to.append("<|im_start|>assistant\n");
    return {};
  }
};

}}}  // namespace ctlm::chat_detail
