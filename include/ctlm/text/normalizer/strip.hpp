// SPDX-License-Identifier: MIT
// ctlm: no white space at the ends; no accents.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

struct strip {
  static constexpr const char* type = "Strip";
  bool left = true, right = true;

  static result<strip> read(const json::value& v) {
    return strip{tokenizer_json_detail::flag(v, "strip_left", true),
                 tokenizer_json_detail::flag(v, "strip_right", true)};
  }
  bool keeps_first(std::string_view text) const {
    return !left || text.empty() || !is_white_space(character_at(text, 0).code);
  }
  std::string_view apply(std::string_view text, std::string&) const {
    while (left && !text.empty() && is_white_space(character_at(text, 0).code))
      text.remove_prefix(character_at(text, 0).length);
    while (right && !text.empty() && is_white_space(character_at(text, last_character(text)).code))
      text.remove_suffix(text.size() - last_character(text));
    return text;
  }
};

// Leaves out the marks that stand for themselves: of other letters after NFD or NFKD alone.
struct strip_accents {
  static constexpr const char* type = "StripAccents";

  static result<strip_accents> read(const json::value&) { return strip_accents{}; }
  static bool keeps_first(std::string_view text) { return text.empty() || !is_in(accents, character_at(text, 0).code); }
  std::string_view apply(std::string_view text, std::string& buffer) const {
    return each_character(
        text, buffer, [](std::uint32_t c) { return is_in(accents, c); }, [](std::uint32_t, std::string&) {});
  }
};

}}}  // namespace ctlm::normalizer_detail
