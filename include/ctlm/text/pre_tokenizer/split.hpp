// SPDX-License-Identifier: MIT
// ctlm: cuts by a pattern.
#pragma once

#include "../pattern/pattern.hpp"
#include "piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

struct split {
  static constexpr const char* type = "Split";
  pattern_detail::pattern pattern;
  behaviour how = behaviour::removed;
  bool invert = false;

  static result<split> read(const json::value& v) {
    auto p = pattern_detail::pattern::read(v.find("pattern"));
    if (!p) return p.error();
    const auto b = read_behaviour(v.find("behavior"), behaviour::removed);
    if (!b) return b.error();
    return split{static_cast<pattern_detail::pattern&&>(*p), *b, tokenizer_json_detail::flag(v, "invert", false)};
  }
  template <class F>
  void cut(const piece& p, F f) const {
    cut_by(p, pattern, how, invert, f);
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
