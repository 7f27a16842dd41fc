// SPDX-License-Identifier: MIT
// ctlm: Llama 2's template: the system's words stand in the first message of the user.
#pragma once

#include "message.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace chat_detail {

struct llama2 {
  static constexpr const char* name = "Llama 2";
  std::string end, bos;

  static bool recognises(std::string_view t) { return has(t, "<<SYS>>") && has(t, "[INST]"); }
  static llama2 of(std::string_view, const chat_tokens& tokens) { return {tokens.eos, tokens.bos}; }
  result<void> render(span<const chat_message> messages, bool, std::string& to) const {
    const auto t = turns::of(messages);
    if (!t) return t.error();
    for (std::size_t i = 0; i < t->rest.size(); ++i) {
      std::string content;
      if (i == 0 && t->system != nullptr)
        content.append("<<SYS>>\n").append(t->system->content).append("\n<</SYS>>\n\n");
      content.append(t->rest[i].content);
      if (i % 2 == 0)
        to.append(bos).append("[INST] ").append(trimmed(content)).append(" [/INST]");
      else
        to.append(" ").append(trimmed(content)).append(" ").append(end);
    }
    return {};
  }
};

}}}  // namespace ctlm::chat_detail
