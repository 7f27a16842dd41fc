// SPDX-License-Identifier: MIT
// ctlm: how o200k (GPT-4o) cuts text into words: capitals begin one, contractions belong to it.
#pragma once

#include "basic_reader.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pattern_detail {

struct o200k {
  static constexpr const char* written =
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
      R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

  template <class Reader>
  static constexpr std::size_t end_of(const Reader& t, std::size_t i) {
    std::size_t length = 0;
    const category_set k = t.kind(i, length);
    const bool may_precede = (k & (letters | numbers)) == 0 && t.byte(i) != '\r' && t.byte(i) != '\n';
    for (const bool wants_small : {true, false}) {
      if (may_precede)
        if (const std::size_t end = word(t, i + length, wants_small); end > i + length) return end;
      if (const std::size_t end = word(t, i, wants_small); end > i) return end;
    }
    if ((k & numbers) != 0) return t.run(i + length, numbers, 2);
    const std::size_t first = t.byte(i) == ' ' ? i + 1 : i;
    if (const std::size_t end = t.run(first, visible); end > first) return t.while_one_of(end, "\r\n/");
    if (const std::size_t end = t.lines(i); end > i) return end;
    return t.space(i);
  }

 private:
  static constexpr category_set upper = set_of(lu, lt, lm, lo) | marks, lower = set_of(ll, lm, lo) | marks;

  // Capitals and small letters behind them, with at least one small letter or, if none is wanted, one capital.
  template <class Reader>
  static constexpr std::size_t word(const Reader& t, std::size_t i, bool wants_small) {
    std::size_t end = i, behind_both = i, length = 0;  // behind the last character that is of both kinds
    for (category_set k = t.kind(end, length); (k & upper) != 0; k = t.kind(end, length)) {
      end += length;
      if ((k & lower) != 0) behind_both = end;
    }
    const std::size_t small = t.run(end, lower);
    if (small > end || (!wants_small && end > i)) return t.contraction(small, true);
    return wants_small && behind_both > i ? t.contraction(behind_both, true) : i;
  }
};

}}}  // namespace ctlm::pattern_detail
