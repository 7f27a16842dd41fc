// SPDX-License-Identifier: MIT
// ctlm: Gemma's template: the assistant is called model. Gemma 1 and 2 have no system; of Gemma 3, its words begin the
// user's first message.
#pragma once

#include "message.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace chat_detail {

struct gemma {
  static constexpr const char* name = "Gemma";
  std::string end = "<end_of_turn>", bos;
  bool has_system = false;

  static bool recognises(std::string_view t) { return has(t, "<start_of_turn>") && has(t, "<end_of_turn>"); }
  static gemma of(std::string_view t, const chat_tokens& tokens) {
    return {"<end_of_turn>", tokens.bos, has(t, "first_user_prefix")};
  }
  result<void> render(span<const chat_message> messages, bool asks, std::string& to) const {
    const auto t = turns::of(messages);
    if (!t) return t.error();
    if (t->system != nullptr && !has_system)
      return wrong_turn("ctlm: the template of this Gemma has no system message", 0);
    to.append(bos);
    for (std::size_t i = 0; i < t->rest.size(); ++i) {
      to.append("<start_of_turn>").append(i % 2 == 0 ? "user" : "model").append("\n");
      if (i == 0 && t->system != nullptr) to.append(t->system->content).append("\n\n");
      to.append(trimmed(t->rest[i].content)).append("<end_of_turn>\n");
    }
    if (asks) to.append("<start_of_turn>model\n");
    return {};
  }
};

}}}  // namespace ctlm::chat_detail
