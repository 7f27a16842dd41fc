// SPDX-License-Identifier: MIT
// ctlm: the added_tokens of a tokenizer.json: texts that are one token wherever they stand, before all else.
#pragma once

#include "finder.hpp"
#include "model/vocabulary.hpp"
#include "normalizer/normalizer.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace added_tokens_detail {

using namespace unicode_detail;
using finder_detail::finder;

struct added_token {
  std::string content;
  token id = -1;
  bool single_word = false;   // only where no word goes on before or behind it
  bool lstrip = false;        // with the white space before it
  bool rstrip = false;        // with the white space behind it
  bool normalized = false;    // looked for in the normalised text
  bool special = false;       // decoding may leave it out
  std::string spelling = {};  // what it is decoded as: normalised, if it is looked for like that
};

class added_tokens {
 public:
  static result<added_tokens> read(const json::value& v, const model_detail::vocabulary& words,
                                   const normalizer_detail::normalizer& normalise) {
    added_tokens a;
    for (const json::value row : v.elements())
      if (const auto r = a.add(row, words); !r) return r.error();
    std::string buffers[2];
    bool first = true;
    for (std::uint32_t i = 0; i < a.tokens_.size(); ++i) {
      added_token& t = a.tokens_[i];
      t.spelling = t.normalized ? std::string(normalise(t.content, buffers, first)) : t.content;
      (t.normalized ? a.in_normalised_ : a.in_raw_).add(t.spelling, i);
    }
    return result<added_tokens>(static_cast<added_tokens&&>(a));
  }

  // Adds a token with a number of its own, which is spelt as its content is. `sought`: texts that spell it have it.
  void put(added_token t, bool sought) {
    t.spelling = t.content;
    if (sought) (t.normalized ? in_normalised_ : in_raw_).add(t.content, static_cast<std::uint32_t>(tokens_.size()));
    keep(static_cast<added_token&&>(t));
  }
  const std::vector<added_token>& all() const { return tokens_; }
  // The token of these words, or a null pointer.
  const added_token* find(std::string_view content) const {
    const token i = numbers_.find(content);
    return i < 0 ? nullptr : &tokens_[static_cast<std::size_t>(i)];
  }
  const added_token* find(token id) const {
    const std::uint32_t i =
        id >= 0 && static_cast<std::size_t>(id) < of_id_.size() ? of_id_[static_cast<std::size_t>(id)] : 0;
    return i == 0 ? nullptr : &tokens_[i - 1];
  }
  // Numbers of added tokens are below.
  std::size_t size() const { return of_id_.size(); }

  // f(begin, end, token or -1) for the parts of a text, from front to back: added tokens and what is between them.
  template <class F>
  void cut(std::string_view text, bool is_normalised, F f) const {
    const finder& texts = is_normalised ? in_normalised_ : in_raw_;
    if (texts.empty()) {
      if (!text.empty()) f(std::size_t{0}, text.size(), token{-1});
      return;
    }
    std::size_t behind = 0;
    for (finder::match m = texts.next(text, 0); m.begin < text.size(); m = texts.next(text, m.end)) {
      const added_token& t = tokens_[m.which];
      std::size_t begin = m.begin, end = m.end;
      if (t.single_word && !stands_alone(text, begin, end)) continue;
      if (t.lstrip) begin = larger(before_space(text, begin), behind);
      if (t.rstrip) end = behind_space(text, end);
      if (behind < begin) f(behind, begin, token{-1});
      f(begin, end, t.id);
      behind = end;
    }
    if (behind < text.size()) f(behind, text.size(), token{-1});
  }

 private:
  result<void> add(const json::value& row, const model_detail::vocabulary& words) {
    using tokenizer_json_detail::flag;
    added_token t{tokenizer_json_detail::string_or(row, "content"),
                  -1,
                  flag(row, "single_word", false),
                  flag(row, "lstrip", false),
                  flag(row, "rstrip", false),
                  flag(row, "normalized", false),
                  flag(row, "special", false)};
    const auto written = row.find("id").as_integer<token>();
    if (!written) return written.error();
    if (t.content.empty()) return {};
    const added_token* const before = find(t.content);
    t.id = before != nullptr ? before->id : words.find_spelt(t.content);
    if (t.id < 0) t.id = next_ = static_cast<token>(larger(static_cast<std::size_t>(next_ + 1), words.entries()));
    if (t.id != *written)
      return failure{errc::corrupt,
                     "ctlm: tokenizer.json: the added token '{name}' has the number {token}, but by its place it has "
                     "{needed}",
                     0,
                     static_cast<std::size_t>(t.id),
                     static_cast<std::size_t>(*written),
                     remember(tokenizer_json_detail::bytes(t.content))};
    if (before != nullptr) {
      tokens_[static_cast<std::size_t>(before - tokens_.data())] = static_cast<added_token&&>(t);
      return {};
    }
    keep(static_cast<added_token&&>(t));
    return {};
  }
  void keep(added_token t) {
    const auto id = static_cast<std::size_t>(t.id);
    numbers_.set(t.content, static_cast<token>(tokens_.size()));
    tokens_.push_back(static_cast<added_token&&>(t));
    if (of_id_.size() <= id) of_id_.resize(id + 1);
    of_id_[id] = static_cast<std::uint32_t>(tokens_.size());
  }

  static bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
    return (begin == 0 || !is_word(character_at(text, last_character(text.substr(0, begin))).code)) &&
           (end == text.size() || !is_word(character_at(text, end).code));
  }
  static std::size_t before_space(std::string_view text, std::size_t at) {
    while (at > 0) {
      const std::size_t last = last_character(text.substr(0, at));
      if (!is_white_space(character_at(text, last).code)) break;
      at = last;
    }
    return at;
  }
  static std::size_t behind_space(std::string_view text, std::size_t at) {
    while (at < text.size() && is_white_space(character_at(text, at).code)) at += character_at(text, at).length;
    return at;
  }

  std::vector<added_token> tokens_;
  std::vector<std::uint32_t> of_id_;  // 1 more than its place in tokens_, or 0
  model_detail::piece_table numbers_;
  finder in_raw_, in_normalised_;
  token next_ = -1;  // the last number that was given to a token which the model has not
};

}}}  // namespace ctlm::added_tokens_detail
