// SPDX-License-Identifier: MIT
// ctlm: punctuation apart from words.
#pragma once

#include "piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

inline bool is_punctuation(std::uint32_t c) { return is_in(unicode_detail::punctuation, c); }

struct punctuation {
  static constexpr const char* type = "Punctuation";
  behaviour how = behaviour::isolated;

  static result<punctuation> read(const json::value& v) {
    const auto b = read_behaviour(v.find("behavior"), behaviour::isolated);
    if (!b) return b.error();
    return punctuation{*b};
  }
  template <class F>
  void cut(const piece& p, F f) const {
    cut_at(p, is_punctuation, how, f);
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
