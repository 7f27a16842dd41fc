// SPDX-License-Identifier: MIT
// ctlm: a pattern that is a text.
#pragma once

#include <string>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

struct literal {
  std::string wanted;

  template <class F>
  void for_each_match(std::string_view text, F f) const {
    std::size_t behind = 0;
    for (std::size_t at = find(text, 0); at != std::string_view::npos; at = find(text, behind)) {
      if (at > behind) f(behind, at, false);
      f(at, at + wanted.size(), true);
      behind = at + wanted.size();
    }
    if (behind < text.size()) f(behind, text.size(), false);
  }

 private:
  std::size_t find(std::string_view text, std::size_t from) const {
    return wanted.empty() ? std::string_view::npos : text.find(wanted, from);
  }
};

}}}  // namespace ctlm::pattern_detail
