// SPDX-License-Identifier: MIT
// ctlm: how GPT-2 cuts text into words.
#pragma once

#include "basic_reader.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

struct gpt2 {
  static constexpr const char* written =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

  template <class Reader>
  static constexpr std::size_t end_of(const Reader& t, std::size_t i) {
    if (const std::size_t end = t.contraction(i, false); end > i) return end;
    const std::size_t first = t.byte(i) == ' ' ? i + 1 : i;
    std::size_t length = 0;
    const category_set k = t.kind(first, length);
    for (const category_set kinds : {letters, numbers, visible})
      if ((k & kinds) != 0) return t.run(first + length, kinds);
    return t.space(i);
  }
};

}}}  // namespace ctlm::pattern_detail
