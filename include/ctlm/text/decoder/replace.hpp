// SPDX-License-Identifier: MIT
// ctlm: another text for every match of a pattern in a token.
#pragma once

#include "../pattern/replacement.hpp"
#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct replace {
  static constexpr const char* type = "Replace";
  pattern_detail::replacement replacement;

  static result<replace> read(const json::value& v) {
    auto r = pattern_detail::replacement::read(v);
    if (!r) return r.error();
    return replace{static_cast<pattern_detail::replacement&&>(*r)};
  }
  template <class F>
  void push(state&, std::string_view token, F f) const {
    std::string text;
    replacement.append(token, text);
    f(std::string_view(text));
  }
  template <class F>
  void finish(state&, F) const {}
};

}}}  // namespace ctlm::decoder_detail
