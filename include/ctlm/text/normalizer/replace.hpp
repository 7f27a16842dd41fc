// SPDX-License-Identifier: MIT
// ctlm: another text for every match of a pattern.
#pragma once

#include "../pattern/replacement.hpp"
#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

struct replace {
  static constexpr const char* type = "Replace";
  pattern_detail::replacement replacement;

  static result<replace> read(const json::value& v) {
    auto r = pattern_detail::replacement::read(v);
    if (!r) return r.error();
    return replace{static_cast<pattern_detail::replacement&&>(*r)};
  }
  bool keeps_first(std::string_view text) const {
    bool keeps = true;
    if (replacement.content.empty())
      replacement.pattern(
          text, [&](std::size_t begin, std::size_t, bool is_match) { keeps = keeps && !(begin == 0 && is_match); });
    return keeps;
  }
  std::string_view apply(std::string_view text, std::string& buffer) const {
    buffer.clear();
    replacement.append(text, buffer);
    return buffer;
  }
};

}}}  // namespace ctlm::normalizer_detail
