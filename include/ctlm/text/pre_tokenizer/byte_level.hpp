// SPDX-License-Identifier: MIT
// ctlm: GPT-2's words, whose bytes are the model's letters. The model looks bytes up as bytes: no letter is written.
#pragma once

#include "../pattern/pattern.hpp"
#include "piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

struct byte_level {
  static constexpr const char* type = "ByteLevel";
  bool add_prefix_space = true, use_regex = true;

  static result<byte_level> read(const json::value& v) {
    return byte_level{tokenizer_json_detail::flag(v, "add_prefix_space", true),
                      tokenizer_json_detail::flag(v, "use_regex", true)};
  }
  template <class F>
  void cut(const piece& p, F f) const {
    if (!add_prefix_space || p.text.starts_with(' ')) return words(p, f);
    std::string spaced(1, ' ');
    spaced.append(p.text);
    words({spaced, p.first}, f);
  }

 private:
  template <class F>
  void words(const piece& p, F& f) const {
    if (!use_regex) return f(p);
    pattern_detail::for_each_match(pattern_detail::gpt2(), p.text,
                                   [&](std::size_t begin, std::size_t end, bool) { give(p, begin, end, f); });
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
