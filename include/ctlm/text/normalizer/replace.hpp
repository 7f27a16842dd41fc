// SPDX-License-Identifier: MIT
// ctlm: another text for every match of a pattern.
#pragma once

#include "../pattern/pattern.hpp"
#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

struct replace {
  static constexpr const char* type = "Replace";
  pattern_detail::pattern pattern;
  std::string content;

  static result<replace> read(const json::value& v) {
    auto p = pattern_detail::pattern::read(v.find("pattern"));
    if (!p) return p.error();
    return replace{static_cast<pattern_detail::pattern&&>(*p), tokenizer_json_detail::string_or(v, "content")};
  }
  bool keeps_first(std::string_view text) const {
    bool keeps = true;
    if (content.empty())
      pattern(text, [&](std::size_t begin, std::size_t, bool is_match) { keeps = keeps && !(begin == 0 && is_match); });
    return keeps;
  }
  std::string_view apply(std::string_view text, std::string& buffer) const {
    buffer.clear();
    pattern(text, [&](std::size_t begin, std::size_t end, bool is_match) {
      is_match ? buffer.append(content) : buffer.append(text, begin, end - begin);
    });
    return buffer;
  }
};

}}}  // namespace ctlm::normalizer_detail
