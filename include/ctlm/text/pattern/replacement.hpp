// SPDX-License-Identifier: MIT
// ctlm: another text for every match of a pattern: what the normalizer Replace and the decoder Replace do.
#pragma once

#include "pattern.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

struct replacement {
  pattern_detail::pattern pattern;
  std::string content;

  // {"pattern": ..., "content": "..."}
  static result<replacement> read(const json::value& v) {
    auto p = pattern_detail::pattern::read(v.find("pattern"));
    if (!p) return p.error();
    return replacement{static_cast<pattern_detail::pattern&&>(*p), tokenizer_json_detail::string_or(v, "content")};
  }
  // Appends the text with its matches replaced.
  void append(std::string_view text, std::string& to) const {
    pattern(text, [&](std::size_t begin, std::size_t end, bool is_match) {
      is_match ? to.append(content) : to.append(text, begin, end - begin);
    });
  }
};

}}}  // namespace ctlm::pattern_detail
