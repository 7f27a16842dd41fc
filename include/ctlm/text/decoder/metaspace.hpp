// SPDX-License-Identifier: MIT
// ctlm: spaces for the letter that stands for them; none in the first token, where one had been put before the text.
#pragma once

#include "../pre_tokenizer/metaspace.hpp"
#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct metaspace {
  static constexpr const char* type = "Metaspace";
  pre_tokenizer_detail::metaspace spelt;

  static result<metaspace> read(const json::value& v) {
    auto m = pre_tokenizer_detail::metaspace::read(v);
    if (!m) return m.error();
    return metaspace{static_cast<pre_tokenizer_detail::metaspace&&>(*m)};
  }
  template <class F>
  void push(state& s, std::string_view token, F f) const {
    const bool without = s.tokens++ == 0 && spelt.prepend != pre_tokenizer_detail::prepend_scheme::never;
    std::string text;
    for (std::size_t i = 0; i < token.size();) {
      const bool space = token.substr(i).starts_with(spelt.replacement);
      if (!space) text += token[i];
      if (space && !without) text += ' ';
      i += space ? spelt.replacement.size() : 1;
    }
    f(std::string_view(text));
  }
  template <class F>
  void finish(state&, F) const {}
};

}}}  // namespace ctlm::decoder_detail
