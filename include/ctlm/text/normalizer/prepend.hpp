// SPDX-License-Identifier: MIT
// ctlm: a text before every text that is not empty.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

struct prepend {
  static constexpr const char* type = "Prepend";
  std::string before;

  static result<prepend> read(const json::value& v) { return prepend{tokenizer_json_detail::string_or(v, "prepend")}; }
  std::string_view apply(std::string_view text, std::string& buffer) const {
    if (text.empty()) return text;
    buffer.assign(before);
    return buffer.append(text);
  }
};

}}}  // namespace ctlm::normalizer_detail
