// SPDX-License-Identifier: MIT
// ctlm: SentencePiece's spaces: a letter, U+2581 as a rule, which words begin with.
#pragma once

#include "piece.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

enum class prepend_scheme : std::uint8_t { always, first, never };

// "prepend_scheme", or the flag "add_prefix_space" of older files.
inline result<prepend_scheme> read_prepend_scheme(const json::value& v) {
  const json::value scheme = v.find("prepend_scheme");
  if (!scheme || scheme.is_null())
    return tokenizer_json_detail::flag(v, "add_prefix_space", true) ? prepend_scheme::always : prepend_scheme::never;
  constexpr const char* names[] = {"always", "first", "never"};
  for (std::size_t i = 0; i < 3; ++i)
    if (scheme.equals(names[i])) return static_cast<prepend_scheme>(i);
  return tokenizer_json_detail::refused("ctlm: tokenizer.json: the prepend_scheme '{name}' of Metaspace is not known",
                                        tokenizer_json_detail::text_of(scheme));
}

struct metaspace {
  static constexpr const char* type = "Metaspace";
  std::string replacement = "\xE2\x96\x81";
  prepend_scheme prepend = prepend_scheme::always;
  bool split = true;

  static result<metaspace> read(const json::value& v) {
    const auto scheme = read_prepend_scheme(v);
    if (!scheme) return scheme.error();
    metaspace m{tokenizer_json_detail::string_or(v, "replacement", "\xE2\x96\x81"), *scheme,
                tokenizer_json_detail::flag(v, "split", true)};
    if (m.replacement.empty() || character_at(m.replacement, 0).length != m.replacement.size())
      return tokenizer_json_detail::damaged(
          "ctlm: tokenizer.json: the replacement of Metaspace at byte {where} is not one character", v);
    return result<metaspace>(static_cast<metaspace&&>(m));
  }
  template <class F>
  void cut(const piece& p, F f) const {
    const std::string text = spelt(p);
    const piece whole{text, p.first};
    if (!split) return f(whole);
    const std::uint32_t begins = character_at(replacement, 0).code;
    cut_at(
        whole, [&](std::uint32_t c) { return c == begins; }, behaviour::merged_with_next, f);
  }

 private:
  std::string spelt(const piece& p) const {
    std::string text;
    text.reserve(p.text.size() + p.text.size() / 4 + replacement.size());
    const bool marked = p.text.starts_with(' ') || p.text.starts_with(replacement);
    if (!marked && (prepend == prepend_scheme::always || (prepend == prepend_scheme::first && p.first)))
      text.append(replacement);
    for (const char c : p.text) c == ' ' ? text.append(replacement) : text.append(1, c);
    return text;
  }
};

}}}  // namespace ctlm::pre_tokenizer_detail
