// SPDX-License-Identifier: MIT
// ctlm: how bpe cuts text into words, as save_hf_tokenizer writes it.
#pragma once

#include "../bpe.hpp"
#include "words.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

struct own_words {
  static constexpr const char* written =
      R"( ?[A-Za-z\x{80}-\x{10FFFF}]+| ?[0-9]+| ?[^ \t-\r0-9A-Za-z\x{80}-\x{10FFFF}]+|)"
      R"([ \t-\r]+?(?= [^ \t-\r])|[ \t-\r]+)";

  template <class F>
  static void for_each_match(std::string_view text, F f) {
    std::size_t at = 0;
    bpe::for_each_word(text, [&](std::string_view word) {
      f(at, at + word.size(), true);
      at += word.size();
    });
  }
};

}}}  // namespace ctlm::pattern_detail
