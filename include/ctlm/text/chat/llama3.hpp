// SPDX-License-Identifier: MIT
// ctlm: Llama 3's template; that of 3.1 and later tells two dates before the system's words.
#pragma once

#include "message.hpp"

#include <ctime>

namespace ctlm { inline namespace CTLM_ABI { namespace chat_detail {

struct llama3 {
  static constexpr const char* name = "Llama 3";
  std::string end = "<|eot_id|>", bos;
  std::string dates;  // empty: none are told

  static bool recognises(std::string_view t) {
    return has(t, "<|start_header_id|>") && has(t, "<|end_header_id|>") && has(t, "<|eot_id|>");
  }
  static llama3 of(std::string_view t, const chat_tokens& tokens) {
    llama3 l;
    l.bos = tokens.bos;
    if (has(t, "Cutting Knowledge Date: December 2023"))
      l.dates.append("Cutting Knowledge Date: December 2023\nToday Date: ").append(today(t)).append("\n\n");
    return l;
  }
  result<void> render(span<const chat_message> messages, bool asks, std::string& to) const {
    const auto head = [&](std::string_view role) -> std::string& {
      return to.append("<|start_header_id|>").append(role).append("<|end_header_id|>\n\n");
    };
    to.append(bos);
    if (!dates.empty()) {
      head("system").append(dates);
      if (!messages.empty() && messages[0].role == "system") {
        to.append(trimmed(messages[0].content));
        messages = messages.subspan(1);
      }
      to.append("<|eot_id|>");
    }
    for (const chat_message& m : messages) head(m.role).append(trimmed(m.content)).append("<|eot_id|>");
    if (asks) head("assistant");
    return {};
  }

 private:
  // The template's own date, or today's where it asks for that.
  static std::string today(std::string_view t) {
    constexpr std::string_view key = "date_string = \"";
    const std::size_t at = t.find(key);
    if (!has(t, "strftime_now") && at != std::string_view::npos) {
      const std::string_view rest = t.substr(at + key.size());
      return std::string(rest.substr(0, rest.find('"')));
    }
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%d %b %Y", ::localtime_r(&now, &parts)));
  }
};

}}}  // namespace ctlm::chat_detail
