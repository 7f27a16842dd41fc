// SPDX-License-Identifier: MIT
// ctlm: BERT's normalizer: no control characters, spaces around Chinese ones, no accents, small letters.
#pragma once

#include "lowercase.hpp"
#include "unicode_form.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

struct bert {
  static constexpr const char* type = "BertNormalizer";
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercases = true;

  static result<bert> read(const json::value& v) {
    using tokenizer_json_detail::flag;
    const bool lower = flag(v, "lowercase", true);
    return bert{flag(v, "clean_text", true), flag(v, "handle_chinese_chars", true), flag(v, "strip_accents", lower),
                lower};
  }
  bool keeps_first(std::string_view text) const {
    if (text.empty()) return true;
    const std::uint32_t c = character_at(text, 0).code;
    return !(clean_text && is_in(bert_control, c)) && !(strip_accents && is_in(bert_accents, c));
  }
  std::string_view apply(std::string_view text, std::string& buffer) const {
    std::string other;
    if (clean_text) text = take(cleaned(text, other), other, buffer);
    if (handle_chinese_chars) text = take(apart(text, other), other, buffer);
    if (strip_accents) text = take(in_form(text, form::nfd, other), other, buffer);
    if (strip_accents) text = take(plain(text, other), other, buffer);
    if (lowercases) text = take(lowercase{}.apply(text, other), other, buffer);
    return text;
  }

 private:
  // What was made in `other` lies in `buffer` then.
  static std::string_view take(std::string_view made, std::string& other, std::string& buffer) {
    if (made.data() != other.data()) return made;
    buffer.swap(other);
    return buffer;
  }
  static std::string_view cleaned(std::string_view text, std::string& to) {
    const auto goes = [](std::uint32_t c) { return c != no_character && is_in(bert_control, c); };
    return each_character(
        text, to, [&](std::uint32_t c) { return (c != ' ' && is_white_space(c)) || goes(c); },
        [&](std::uint32_t c, std::string& s) {
          if (!goes(c)) s += ' ';
        });
  }
  static bool is_chinese(std::uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
  }
  static std::string_view apart(std::string_view text, std::string& to) {
    return each_character(text, to, is_chinese, [](std::uint32_t c, std::string& s) {
      s += ' ';
      append(s, c);
      s += ' ';
    });
  }
  static std::string_view plain(std::string_view text, std::string& to) {
    return each_character(
        text, to, [](std::uint32_t c) { return is_in(bert_accents, c); }, [](std::uint32_t, std::string&) {});
  }
};

}}}  // namespace ctlm::normalizer_detail
