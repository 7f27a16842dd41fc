// SPDX-License-Identifier: MIT
// ctlm: the pattern of a tokenizer.json: a text, one of the regular expressions that are known here, or another.
#pragma once

#include "../tokenizer_json.hpp"
#include "digits.hpp"
#include "gpt2.hpp"
#include "literal.hpp"
#include "llama3.hpp"
#include "o200k.hpp"
#include "own_words.hpp"
#include "pcre2.hpp"
#include "words.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

// f(begin, end, is_match) for the matches of a scanner and for what lies between them, in order.
template <class Words, class F>
void for_each_match(const Words&, std::string_view text, F f) {
  const reader t(text);
  std::size_t behind = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = Words::end_of(t, i);
    if (end == i) {
      i += character_at(text, i).length;
      continue;
    }
    if (i > behind) f(behind, i, false);
    f(i, end, true);
    behind = i = end;
  }
  if (behind < text.size()) f(behind, text.size(), false);
}
template <class Pattern, class F>
requires requires(const Pattern& p, F f) { p.for_each_match(std::string_view(), f); }
void for_each_match(const Pattern& p, std::string_view text, F f) { p.for_each_match(text, f); }

class pattern {
 public:
  pattern() = default;
  // {"String": "..."} or {"Regex": "..."}
  static result<pattern> read(const json::value& v) {
    const json::value written = v.find("Regex"), literally = v.find("String");
    pattern p;
    if (literally.kind() == json::kind::string) {
      p.way_ = literal{tokenizer_json_detail::text_of(literally)};
    } else if (written.kind() != json::kind::string) {
      return tokenizer_json_detail::damaged(
          "ctlm: tokenizer.json: the pattern at byte {where} has neither String nor Regex", v);
    } else if (!p.choose<gpt2, llama3, qwen2, cl100k, o200k, single_digits, three_digits, own_words>(written)) {
      auto other = regular_expression::make(tokenizer_json_detail::text_of(written));
      if (!other) return other.error();
      p.way_ = static_cast<regular_expression&&>(*other);
    }
    return result<pattern>(static_cast<pattern&&>(p));
  }
  // One that the program knows.
  template <class Words>
  static pattern of() {
    pattern p;
    p.way_ = Words{};
    return p;
  }

  // f(begin, end, is_match) for every piece of the text, in order; together they are the text.
  template <class F>
  void operator()(std::string_view text, F f) const {
    std::visit([&](const auto& way) { for_each_match(way, text, f); }, way_);
  }

 private:
  template <class... Words>
  bool choose(const json::value& written) {
    return ((written.equals(Words::written) && (way_ = Words{}, true)) || ...);
  }

  std::variant<literal, gpt2, llama3, qwen2, cl100k, o200k, single_digits, three_digits, own_words, regular_expression>
      way_;
};

}}}  // namespace ctlm::pattern_detail
