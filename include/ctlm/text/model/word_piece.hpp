// SPDX-License-Identifier: MIT
// ctlm: WordPiece, BERT's way: of each word the longest token that it begins with, then of the rest. And words alone.
#pragma once

#include "vocabulary.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

inline token unknown_of(const json::value& v, const vocabulary& words, const char* otherwise) {
  return words.find_spelt(tokenizer_json_detail::string_or(v, "unk_token", otherwise));
}
inline void write_unknown(token unknown, std::vector<token>& out) {
  check(unknown >= 0, errc::corrupt, "ctlm: the unk_token of this tokenizer is not in its vocab");
  out.push_back(unknown);
}

class word_piece {
 public:
  static constexpr const char* type = "WordPiece";

  static result<word_piece> read(const json::value& v, bool as_bytes) {
    word_piece m;
    auto words = read_vocabulary(v.find("vocab"), as_bytes);
    if (!words) return words.error();
    m.words_ = static_cast<vocabulary&&>(*words);
    m.unknown_ = unknown_of(v, m.words_, "[UNK]");
    m.prefix_ = tokenizer_json_detail::string_or(v, "continuing_subword_prefix", "##");
    if (const json::value most = v.find("max_input_chars_per_word"); most && !most.is_null()) {
      const auto n = most.as_integer<std::size_t>();
      if (!n) return n.error();
      m.most_ = *n;
    }
    return result<word_piece>(static_cast<word_piece&&>(m));
  }
  static word_piece of(vocabulary words, token unknown) {
    word_piece m;
    m.words_ = static_cast<vocabulary&&>(words);
    m.unknown_ = unknown;
    return m;
  }
  const vocabulary& words() const { return words_; }

  // Raises errc::corrupt where the unk_token is needed and is no token.
  void encode(std::string_view word, std::vector<token>& out) const {
    const std::size_t before = out.size();
    std::size_t characters = 0;
    for (std::size_t i = 0; i < word.size() && characters <= most_; i += character_at(word, i).length) ++characters;
    if (characters > most_) return write_unknown(unknown_, out);
    std::string written;
    for (std::size_t begin = 0; begin < word.size();) {
      const std::size_t end = longest_at(word, begin, written, out);
      if (end == begin) {
        out.resize(before);
        return write_unknown(unknown_, out);
      }
      begin = end;
    }
  }

 private:
  // Adds the longest token that stands at `begin`; where it ends, or `begin`.
  std::size_t longest_at(std::string_view word, std::size_t begin, std::string& written,
                         std::vector<token>& out) const {
    const std::string_view rest = word.substr(begin);
    std::string_view text = rest;
    std::size_t before = 0;
    if (begin > 0) {
      before = prefix_.size();
      text = written.assign(prefix_).append(rest);
    }
    if (text.size() > words_.longest()) text = text.substr(0, larger(words_.longest(), before));
    while (text.size() > before) {
      if (const token t = words_.find(text); t >= 0) {
        out.push_back(t);
        return begin + text.size() - before;
      }
      text.remove_suffix(1);  // a part of a character is no token
    }
    return begin;
  }

  vocabulary words_;
  std::string prefix_ = "##";
  std::size_t most_ = 100;
  token unknown_ = -1;
};

class word_level {
 public:
  static constexpr const char* type = "WordLevel";

  static result<word_level> read(const json::value& v, bool as_bytes) {
    word_level m;
    auto words = read_vocabulary(v.find("vocab"), as_bytes);
    if (!words) return words.error();
    m.words_ = static_cast<vocabulary&&>(*words);
    m.unknown_ = unknown_of(v, m.words_, "<unk>");
    return result<word_level>(static_cast<word_level&&>(m));
  }
  const vocabulary& words() const { return words_; }

  // Raises errc::corrupt where the unk_token is needed and is no token.
  void encode(std::string_view word, std::vector<token>& out) const {
    const token t = words_.find(word);
    t >= 0 ? out.push_back(t) : write_unknown(unknown_, out);
  }

 private:
  vocabulary words_;
  token unknown_ = -1;
};

}}}  // namespace ctlm::model_detail
