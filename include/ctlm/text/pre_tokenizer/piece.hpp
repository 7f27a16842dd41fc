// SPDX-License-Identifier: MIT
// ctlm: pieces of a text on their way to a model, and what becomes of the matches of a pattern in them.
//
// A pre-tokenizer is a step: step.cut(piece, f) calls f(piece) for the pieces that it makes of one, from front to back.
// What it changes lies in a text of its own until f returns.
#pragma once

#include "../tokenizer_json.hpp"
#include "../unicode.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace pre_tokenizer_detail {

using namespace unicode_detail;

struct piece {
  std::string_view text;
  bool first;  // the whole text begins with it
};

// f(part of p from `begin` to `end`), unless it is empty.
template <class F>
void give(const piece& p, std::size_t begin, std::size_t end, F& f) {
  if (end > begin) f(piece{p.text.substr(begin, end - begin), p.first && begin == 0});
}

enum class behaviour : std::uint8_t { removed, isolated, merged_with_previous, merged_with_next, contiguous };

inline result<behaviour> read_behaviour(const json::value& v, behaviour otherwise) {
  if (!v) return otherwise;
  constexpr const char* names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
  for (std::size_t i = 0; i < 5; ++i)
    if (v.equals(names[i])) return static_cast<behaviour>(i);
  return tokenizer_json_detail::refused("ctlm: tokenizer.json: the behavior '{name}' of a pre_tokenizer is not known",
                                        tokenizer_json_detail::text_of(v));
}

// Takes matches and what lies between them, and gives the pieces.
template <class F>
class assembler {
 public:
  assembler(const piece& p, behaviour b, F& f) : piece_(p), behaviour_(b), f_(f) {}

  void operator()(std::size_t begin, std::size_t end, bool is_match) {
    switch (behaviour_) {
      case behaviour::removed:
        if (!is_match) give(piece_, begin, end, f_);
        return;
      case behaviour::isolated:
        return give(piece_, begin, end, f_);
      case behaviour::merged_with_previous:
        return join(begin, end, is_match, is_match && !was_match_);
      case behaviour::merged_with_next:
        return join(begin, end, is_match, was_match_ && !is_match);
      case behaviour::contiguous:
        return join(begin, end, is_match, is_match == was_match_);
    }
  }
  void finish() { give(piece_, begin_, end_, f_); }

 private:
  void join(std::size_t begin, std::size_t end, bool is_match, bool to_last) {
    if (!to_last) {
      give(piece_, begin_, end_, f_);
      begin_ = begin;
    }
    end_ = end;
    was_match_ = is_match;
  }

  const piece& piece_;
  behaviour behaviour_;
  F& f_;
  std::size_t begin_ = 0, end_ = 0;
  bool was_match_ = false;
};

// Cuts by a pattern: matches(text, g) calls g(begin, end, is_match).
template <class Matches, class F>
void cut_by(const piece& p, const Matches& matches, behaviour b, bool invert, F& f) {
  assembler<F> a(p, b, f);
  matches(p.text, [&](std::size_t begin, std::size_t end, bool is_match) { a(begin, end, is_match != invert); });
  a.finish();
}
// Cuts at characters: each for which is(code) holds is a match.
template <class Is, class F>
void cut_at(const piece& p, Is is, behaviour b, F& f) {
  assembler<F> a(p, b, f);
  std::size_t behind = 0;
  for (std::size_t i = 0; i < p.text.size();) {
    const character c = character_at(p.text, i);
    if (is(c.code)) {
      if (i > behind) a(behind, i, false);
      a(i, i + c.length, true);
      behind = i + c.length;
    }
    i += c.length;
  }
  if (behind < p.text.size()) a(behind, p.text.size(), false);
  a.finish();
}

}}}  // namespace ctlm::pre_tokenizer_detail
