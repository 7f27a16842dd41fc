// SPDX-License-Identifier: MIT
// ctlm: a character less at the ends of a token, or of the text that Fuse made: `start` of them at most before it,
// `stop` behind it.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct strip {
  static constexpr const char* type = "Strip";
  std::string content;
  std::size_t start = 0, stop = 0;

  static result<strip> read(const json::value& v) {
    const auto first = v.find("start").as_integer<std::size_t>(), last = v.find("stop").as_integer<std::size_t>();
    if (!first) return first.error();
    if (!last) return last.error();
    strip s{tokenizer_json_detail::string_or(v, "content"), *first, *last};
    if (s.content.empty() || character_at(s.content, 0).length != s.content.size())
      return tokenizer_json_detail::damaged(
          "ctlm: tokenizer.json: the content of the decoder Strip at byte {where} is not one character", v);
    return result<strip>(static_cast<strip&&>(s));
  }

  template <class F>
  void push(state&, std::string_view token, F f) const {
    for (std::size_t i = 0; i < start && token.starts_with(content); ++i) token.remove_prefix(content.size());
    for (std::size_t i = 0; i < stop && token.ends_with(content); ++i) token.remove_suffix(content.size());
    f(token);
  }
  template <class F>
  void finish(state&, F) const {}

  // state.tokens: how many were taken at the beginning, `start` behind it. What might be the end waits in `held`.
  template <class F>
  void stream(state& s, std::string_view text, F f) const {
    while (s.tokens < start && text.starts_with(content)) {
      text.remove_prefix(content.size());
      ++s.tokens;
    }
    if (text.empty()) return;
    s.tokens = start;
    s.held.append(text);
    std::size_t waits = 0;
    while (waits < stop &&
           std::string_view(s.held).substr(0, s.held.size() - waits * content.size()).ends_with(content))
      ++waits;
    const std::size_t sure = s.held.size() - waits * content.size();
    if (sure > 0) f(std::string_view(s.held).substr(0, sure));
    s.held.erase(0, sure);
  }
  template <class F>
  void end(state& s, F) const {
    s.held.clear();
  }
};

}}}  // namespace ctlm::decoder_detail
