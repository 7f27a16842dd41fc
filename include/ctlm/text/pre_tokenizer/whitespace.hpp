// SPDX-License-Identifier: MIT
// ctlm: words between white space; Whitespace also cuts words from what is none.
#pragma once

#include "piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

struct whitespace_split {
  static constexpr const char* type = "WhitespaceSplit";

  static result<whitespace_split> read(const json::value&) { return whitespace_split{}; }
  template <class F>
  void cut(const piece& p, F f) const {
    cut_at(p, is_white_space, behaviour::removed, f);
  }
};

// \w+|[^\w\s]+
struct whitespace {
  static constexpr const char* type = "Whitespace";

  static result<whitespace> read(const json::value&) { return whitespace{}; }
  template <class F>
  void cut(const piece& p, F f) const {
    std::size_t begin = 0;
    int kind = 0;  // of what began there: 0 white space, 1 a word, 2 neither
    for (std::size_t i = 0; i < p.text.size();) {
      const character c = character_at(p.text, i);
      const int k = is_white_space(c.code) ? 0 : is_word(c.code) ? 1 : 2;
      if (k != kind) {
        if (kind != 0) give(p, begin, i, f);
        begin = i;
        kind = k;
      }
      i += c.length;
    }
    if (kind != 0) give(p, begin, p.text.size(), f);
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
