// SPDX-License-Identifier: MIT
// ctlm: another text for every match of a pattern in a token.
#pragma once

#include "../pattern/pattern.hpp"
#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct replace {
  static constexpr const char* type = "Replace";
  pattern_detail::pattern pattern;
  std::string content;

  static result<replace> read(const json::value& v) {
    auto p = pattern_detail::pattern::read(v.find("pattern"));
    if (!p) return p.error();
    return replace{static_cast<pattern_detail::pattern&&>(*p), tokenizer_json_detail::string_or(v, "content")};
  }
  template <class F>
  void push(state&, std::string_view token, F f) const {
    std::string text;
    pattern(token, [&](std::size_t begin, std::size_t end, bool is_match) {
      is_match ? text.append(content) : text.append(token, begin, end - begin);
    });
    f(std::string_view(text));
  }
  template <class F>
  void finish(state&, F) const {}
};

}}}  // namespace ctlm::decoder_detail
