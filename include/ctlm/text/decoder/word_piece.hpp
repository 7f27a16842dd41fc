// SPDX-License-Identifier: MIT
// ctlm: a space before each token that does not go on with a word; English contractions without theirs.
#pragma once

#include "step.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace decoder_detail {

struct word_piece {
  static constexpr const char* type = "WordPiece";
  std::string prefix;
  bool cleanup = true;

  static result<word_piece> read(const json::value& v) {
    return word_piece{tokenizer_json_detail::string_or(v, "prefix", "##"),
                      tokenizer_json_detail::flag(v, "cleanup", true)};
  }
  template <class F>
  void push(state& s, std::string_view token, F f) const {
    std::string text;
    if (s.tokens++ > 0) {
      if (token.starts_with(prefix))
        token.remove_prefix(prefix.size());
      else
        text += ' ';
    }
    text.append(token);
    if (cleanup) clean(text);
    f(std::string_view(text));
  }
  template <class F>
  void finish(state&, F) const {}

 private:
  static void clean(std::string& text) {
    constexpr const char* pairs[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : pairs)
      for (std::size_t at = text.find(from); at != std::string::npos;) {
        text.replace(at, std::string_view(from).size(), to);
        at = text.find(from, at + std::string_view(to).size());
      }
  }
};

// BPEDecoder: a space for the end_of_word_suffix of every token but the last.
struct bpe {
  static constexpr const char* type = "BPEDecoder";
  std::string suffix;

  static result<bpe> read(const json::value& v) { return bpe{tokenizer_json_detail::string_or(v, "suffix", "</w>")}; }
  template <class F>
  void push(state& s, std::string_view token, F f) const {
    if (s.tokens++ > 0) give(s, " ", f);
    s.held.assign(token);
  }
  template <class F>
  void finish(state& s, F f) const {
    if (s.tokens > 0) give(s, "", f);
    s.tokens = 0;
  }

 private:
  template <class F>
  void give(const state& s, const char* instead, F f) const {
    std::string text = s.held;
    for (std::size_t at = 0; !suffix.empty() && (at = text.find(suffix, at)) != std::string::npos;) {
      text.replace(at, suffix.size(), instead);
      at += std::string_view(instead).size();
    }
    f(std::string_view(text));
  }
};

}}}  // namespace ctlm::decoder_detail
