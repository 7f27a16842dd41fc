// SPDX-License-Identifier: MIT
// ctlm: what normalizers have in common. A normalizer is a step: step.apply(text, buffer) gives the new text, which is
// `text` itself where nothing changes, or lies in `buffer`, whose content is lost.
// One that may leave out what a text begins with has step.keeps_first(text): what comes behind is not the text's
// beginning any more, for those who ask.
#pragma once

#include "../tokenizer_json.hpp"
#include "../unicode.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace normalizer_detail {

using namespace unicode_detail;

// Each character for which changes(code) holds becomes what put(code, buffer) appends; others stay as they are.
template <class Changes, class Put>
std::string_view each_character(std::string_view text, std::string& buffer, Changes changes, Put put) {
  buffer.clear();
  std::size_t kept = 0;  // up to here the text is in the buffer
  bool changed = false;
  for (std::size_t i = 0; i < text.size();) {
    const character c = character_at(text, i);
    if (changes(c.code)) {
      buffer.append(text, kept, i - kept);
      put(c.code, buffer);
      kept = i + c.length;
      changed = true;
    }
    i += c.length;
  }
  if (!changed) return text;
  buffer.append(text, kept);
  return buffer;
}

}}}  // namespace ctlm::normalizer_detail
