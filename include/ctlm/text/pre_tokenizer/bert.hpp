// SPDX-License-Identifier: MIT
// ctlm: BERT's words: between white space, with each sign of punctuation a word of its own.
#pragma once

#include "punctuation.hpp"
#include "whitespace.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

struct bert {
  static constexpr const char* type = "BertPreTokenizer";

  static result<bert> read(const json::value&) { return bert{}; }
  template <class F>
  void cut(const piece& p, F f) const {
    whitespace_split{}.cut(p, [&](const piece& word) { punctuation{}.cut(word, [&](const piece& q) { f(q); }); });
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
