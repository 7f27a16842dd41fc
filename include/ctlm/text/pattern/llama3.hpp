// SPDX-License-Identifier: MIT
// ctlm: how Llama 3, Qwen and GPT-4 cut text into words: they differ in how many digits make one, and at the end.
#pragma once

#include "basic_reader.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

// `Ends`: white space at the end of the text is one word, whatever lines it has.
template <std::size_t Digits, bool Ends = false>
struct llama3_words {
  template <class Reader>
  static constexpr std::size_t end_of(const Reader& t, std::size_t i) {
    if (const std::size_t end = t.contraction(i, true); end > i) return end;
    std::size_t length = 0, next = 0;
    const category_set k = t.kind(i, length);
    if ((k & letters) != 0) return t.run(i + length, letters);
    if ((k & numbers) != 0) return t.run(i + length, numbers, Digits - 1);
    const bool ends_line = t.byte(i) == '\r' || t.byte(i) == '\n';
    if (!ends_line && (t.kind(i + length, next) & letters) != 0) return t.run(i + length, letters);
    const std::size_t first = t.byte(i) == ' ' ? i + 1 : i;
    if (const std::size_t end = t.run(first, visible); end > first) return t.while_one_of(end, "\r\n");
    if (Ends && t.run(i, white) == t.size()) return t.size();
    if (const std::size_t end = t.lines(i); end > i) return end;
    return t.space(i);
  }
};

struct llama3 : llama3_words<3> {
  static constexpr const char* written =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
      R"(\s+(?!\S)|\s+)";
};
struct qwen2 : llama3_words<1> {
  static constexpr const char* written =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
      R"(\s+(?!\S)|\s+)";
};
// cl100k (GPT-4), as tiktoken writes it.
struct cl100k : llama3_words<3, true> {
  static constexpr const char* written =
      R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|)"
      R"(\s+(?!\S)|\s)";
};

}}}  // namespace ctlm::pattern_detail
