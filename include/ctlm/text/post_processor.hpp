// SPDX-License-Identifier: MIT
// ctlm: the post_processor of a tokenizer.json: which tokens stand before and behind a text.
#pragma once

#include "../core/types.hpp"
#include "tokenizer_json.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace post_processor_detail {

struct surroundings {
  std::vector<token> before, after;

  void add(const surroundings& outer) {
    before.insert(before.begin(), outer.before.begin(), outer.before.end());
    after.insert(after.end(), outer.after.begin(), outer.after.end());
  }
};

// Moves bytes of the text that tokens belong to, and no token.
struct byte_level {
  static constexpr const char* type = "ByteLevel";
  static result<byte_level> read(const json::value&) { return byte_level{}; }
  surroundings around;
};

struct template_processing {
  static constexpr const char* type = "TemplateProcessing";
  surroundings around;

  static result<template_processing> read(const json::value& v) {
    template_processing t;
    std::size_t texts = 0;
    for (const json::value part : v.find("single").elements()) {
      const json::value special = part.find("SpecialToken").find("id");
      if (!special) {
        ++texts;
        continue;
      }
      const std::string id = tokenizer_json_detail::text_of(special);
      const json::value numbers = v.find("special_tokens").find(tokenizer_json_detail::bytes(id)).find("ids");
      if (numbers.kind() != json::kind::array)
        return failure{errc::corrupt,
                       "ctlm: tokenizer.json: the post_processor does not say which token '{name}' is",
                       0,
                       0,
                       0,
                       remember(tokenizer_json_detail::bytes(id))};
      for (const json::value number : numbers.elements()) {
        const auto n = number.as_integer<token>();
        if (!n) return n.error();
        (texts == 0 ? t.around.before : t.around.after).push_back(*n);
      }
    }
    if (texts != 1)
      return failure{errc::unsupported,
                     "ctlm: tokenizer.json: the post_processor has a text {had} times; once is supported", 0, 1, texts};
    return result<template_processing>(static_cast<template_processing&&>(t));
  }
};

// "cls" before a text, "sep" behind it, each ["text", number].
inline result<surroundings> read_class_and_separator(const json::value& v) {
  surroundings s;
  for (const auto& [key, to] : {std::pair("cls", &s.before), std::pair("sep", &s.after)}) {
    json::value last;
    for (const json::value part : v.find(key).elements()) last = part;
    const auto n = last.as_integer<token>();
    if (!n) return n.error();
    to->push_back(*n);
  }
  return result<surroundings>(static_cast<surroundings&&>(s));
}
struct bert {
  static constexpr const char* type = "BertProcessing";
  surroundings around;
  static result<bert> read(const json::value& v) {
    auto s = read_class_and_separator(v);
    return s ? result<bert>(bert{static_cast<surroundings&&>(*s)}) : result<bert>(s.error());
  }
};
struct roberta {
  static constexpr const char* type = "RobertaProcessing";
  surroundings around;
  static result<roberta> read(const json::value& v) {
    auto s = read_class_and_separator(v);
    return s ? result<roberta>(roberta{static_cast<surroundings&&>(*s)}) : result<roberta>(s.error());
  }
};

inline result<surroundings> read(const json::value& v) {
  std::vector<std::variant<bert, byte_level, roberta, template_processing>> steps;
  constexpr tokenizer_json_detail::part here{"processors", "post_processor",
                                             "ctlm: tokenizer.json: the post_processor at byte {where} has no type"};
  if (const auto r = tokenizer_json_detail::read_steps(v, here, steps); !r) return r.error();
  surroundings all;
  for (const auto& any : steps) std::visit([&](const auto& step) { all.add(step.around); }, any);
  return result<surroundings>(static_cast<surroundings&&>(all));
}

}}}  // namespace ctlm::post_processor_detail
