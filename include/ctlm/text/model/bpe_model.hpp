// SPDX-License-Identifier: MIT
// ctlm: byte pair encoding as tokenizer.json has it: letters, or bytes, whose pairs are merged by rank.
#pragma once

#include "../merge_pairs.hpp"
#include "../merge_words.hpp"
#include "vocabulary.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

class bpe_model {
 public:
  static constexpr const char* type = "BPE";

  bpe_model() {
    for (std::size_t b = 0; b < 256; ++b) codes_[b] = single_[b] = -1;
  }
  static result<bpe_model> read(const json::value& v, bool as_bytes) {
    bpe_model m;
    auto words = read_vocabulary(v.find("vocab"), as_bytes);
    if (!words) return words.error();
    m.words_ = static_cast<vocabulary&&>(*words);
    m.byte_fallback_ = tokenizer_json_detail::flag(v, "byte_fallback", false);
    m.ignore_merges_ = tokenizer_json_detail::flag(v, "ignore_merges", false);
    m.fuse_unk_ = tokenizer_json_detail::flag(v, "fuse_unk", false);
    m.prefix_ = tokenizer_json_detail::string_or(v, "continuing_subword_prefix");
    m.suffix_ = tokenizer_json_detail::string_or(v, "end_of_word_suffix");
    const json::value unknown = v.find("unk_token"), dropout = v.find("dropout");
    m.has_unknown_ = unknown.kind() == json::kind::string;
    m.unknown_ = m.words_.find_spelt(tokenizer_json_detail::text_of(unknown));
    if (const auto d = dropout.as_number<double>(); d && *d != 0)
      return failure{errc::unsupported,
                     "ctlm: tokenizer.json: a dropout of merges is for training, and is not supported"};
    if (const auto r = m.read_merges(v.find("merges")); !r) return r.error();
    m.prepare();
    return result<bpe_model>(static_cast<bpe_model&&>(m));
  }
  // Where tokens have ranks and there is no list of merges: neighbours become the token that their texts make together,
  // that of the lowest rank first. ranks[t] is `unmade` where no merge makes t.
  struct ranked {
    vocabulary words;
    std::vector<std::uint32_t> ranks;
    token unknown = -1;
    bool byte_fallback = false, ignore_merges = false;  // letters that are unknown and beside each other are one token
  };
  static constexpr std::uint32_t unmade = ~std::uint32_t{0};
  static bpe_model of(ranked r) {
    bpe_model m;
    m.words_ = static_cast<vocabulary&&>(r.words);
    m.byte_fallback_ = r.byte_fallback;
    m.ignore_merges_ = r.ignore_merges;
    m.fuse_unk_ = true;
    m.has_unknown_ = r.unknown >= 0;
    m.unknown_ = r.unknown;
    for (std::size_t t = 0; t < r.ranks.size(); ++t)
      if (r.ranks[t] != unmade) m.find_pairs(static_cast<token>(t), r.ranks[t]);
    m.prepare();
    return m;
  }
  // Of merges "left right", the first is merged first. Errors: as of a tokenizer.json.
  static result<bpe_model> of(vocabulary words, const std::vector<std::string>& merges, bool ignore_merges) {
    bpe_model m;
    m.words_ = static_cast<vocabulary&&>(words);
    m.ignore_merges_ = ignore_merges;
    for (std::size_t i = 0; i < merges.size(); ++i) {
      const std::size_t space = std::min(merges[i].find(' ', 1), merges[i].size());
      const std::string left(merges[i], 0, space), right(merges[i], std::min(space + 1, merges[i].size()));
      if (const auto r = m.add_merge(left, right, static_cast<std::uint32_t>(i)); !r) return r.error();
    }
    m.prepare();
    return result<bpe_model>(static_cast<bpe_model&&>(m));
  }
  const vocabulary& words() const { return words_; }

  // Raises errc::corrupt where a word has what the vocabulary lacks, and the unk_token is no token either.
  void encode(std::string_view word, std::vector<token>& out) const {
    if (const token whole = words_.find(word); whole >= 0 && (ignore_merges_ || is_whole(whole)))
      return out.push_back(whole);
    encode_letters(word, out);
  }

 private:
  // What a pair becomes, for merge_words.hpp.
  struct finder {
    const pair_table& pairs;
    merging_detail::ranked_pair operator()(token left, token right) const {
      const pair_entry& e = pairs.find(left, right);
      return {e.rank, e.made};
    }
  };

  result<void> read_merges(const json::value& merges) {
    if (merges.kind() != json::kind::array)
      return tokenizer_json_detail::damaged("ctlm: tokenizer.json: the model at byte {where} has no merges", merges);
    std::string left, right;
    std::uint32_t rank = 0;
    for (const json::value m : merges.elements()) {
      split(m, left, right);
      if (const auto r = add_merge(left, right, rank++); !r) return r;
    }
    return {};
  }
  result<void> add_merge(const std::string& left, const std::string& right, std::uint32_t rank) {
    const std::string made = left + std::string(right, std::min(prefix_.size(), right.size()));
    token t[3]{};
    for (const auto& [spelt, to] : {std::pair(&left, t), std::pair(&right, t + 1), std::pair(&made, t + 2)})
      if (*to = words_.find_spelt(*spelt); *to < 0)
        return failure{errc::corrupt,
                       "ctlm: tokenizer.json: merge {where} needs the token '{name}', which is not in the vocab",
                       rank,
                       0,
                       0,
                       remember(tokenizer_json_detail::bytes(*spelt))};
    pairs_.set(t[0], t[1], rank, t[2]);
    return {};
  }
  // "left right", or ["left", "right"]; of another thing, nothing.
  static void split(const json::value& m, std::string& left, std::string& right) {
    left.clear();
    right.clear();
    std::size_t n = 0;
    for (const json::value part : m.elements()) part.decode([&](char c) { (n == 0 ? left : right) += c; }), ++n;
    if (m.kind() != json::kind::string) return;
    m.decode([&](char c) { left += c; });
    const std::size_t space = left.find(' ');
    if (space == std::string::npos) return;
    right.assign(left, space + 1);
    left.resize(space);
  }
  // What encode() asks of the tables, once they are complete.
  void prepare() {
    find_codes();
    find_order();
    find_whole();
  }
  // All pairs that become this token.
  void find_pairs(token made, std::uint32_t rank) {
    std::string bytes(words_.spelling(made));
    if (words_.as_bytes()) bytes_of_letters(words_.spelling(made), bytes);
    const std::string_view text = bytes;
    for (std::size_t i = 1; i < text.size(); ++i) {
      const token left = words_.find(text.substr(0, i));
      const token right = left < 0 ? -1 : words_.find(text.substr(i));
      if (right >= 0) pairs_.set(left, right, rank, made);
    }
  }
  void find_codes() {
    spells_bytes_ = words_.as_bytes() && prefix_.empty() && suffix_.empty();
    for (std::size_t b = 0; b < 256; ++b) {
      const auto byte = static_cast<unsigned char>(b);
      codes_[b] = words_.find_spelt(code_of_byte(byte));
      const char c = static_cast<char>(byte);
      single_[b] = b < 128 || words_.as_bytes() ? words_.find(std::string_view(&c, 1)) : -1;
    }
  }
  // Whether merges make only pairs that come after them.
  void find_order() {
    std::vector<std::size_t> behind;  // of a token: all ranks that make it are below
    const auto at = [&](token t) -> std::size_t& {
      if (behind.size() <= static_cast<std::size_t>(t)) behind.resize(static_cast<std::size_t>(t) + 1);
      return behind[static_cast<std::size_t>(t)];
    };
    pairs_.for_each([&](const pair_entry& e) {
      const std::size_t after = std::size_t{e.rank} + 1;
      at(e.made) = larger(at(e.made), after);
      ranks_ = larger(ranks_, after);
    });
    pairs_.for_each([&](const pair_entry& e) {
      const auto left = static_cast<token>(e.key >> 32), right = static_cast<token>(e.key & 0xFFFFFFFFu);
      is_ordered_ = is_ordered_ && at(left) <= e.rank && at(right) <= e.rank;
    });
  }
  // Which tokens merges make of their own texts: most words are such texts.
  void find_whole() {
    if (has_unknown_ && unknown_ < 0) return;
    std::vector<bool> whole(words_.size(), true);
    std::vector<token> made;
    words_.for_each_piece([&](std::string_view text, token t) {
      made.clear();
      encode_letters(text, made);
      if (made.size() != 1 || made[0] != t) whole[static_cast<std::size_t>(t)] = false;
    });
    whole_ = static_cast<std::vector<bool>&&>(whole);
  }
  bool is_whole(token t) const {
    return static_cast<std::size_t>(t) < whole_.size() && whole_[static_cast<std::size_t>(t)];
  }

  void encode_letters(std::string_view word, std::vector<token>& out) const {
    if (word.size() <= merging_detail::few) {
      token t[merging_detail::few];
      if (spell_bytes(word, t)) {
        const std::size_t n = merging_detail::merge_few(t, word.size(), finder{pairs_});
        out.insert(out.end(), t, t + n);
        return;
      }
    }
    const std::size_t begin = out.size();
    out.resize(begin + word.size());
    if (!spell_bytes(word, out.data() + begin)) {
      out.resize(begin);
      spell(word, out);
    }
    merge(out, begin);
  }
  // The bytes of a word as tokens; false where letters are no bytes, or one is no token.
  bool spell_bytes(std::string_view word, token* to) const {
    if (!spells_bytes_) return false;
    token all = 0;  // below zero if one is
    for (std::size_t i = 0; i < word.size(); ++i) all |= to[i] = single_[static_cast<unsigned char>(word[i])];
    return all >= 0;
  }
  // The letters of a word as tokens.
  void spell(std::string_view word, std::vector<token>& out) const {
    std::size_t unknowns = 0;  // that have not been written yet
    const bool plain = prefix_.empty() && suffix_.empty();
    for (std::size_t i = 0, length = 1; i < word.size(); i += length) {
      length = words_.as_bytes() ? 1 : character_at(word, i).length;
      const std::string_view letter = word.substr(i, length);
      const token t = plain && length == 1 ? single_[static_cast<unsigned char>(letter[0])]
                      : plain              ? words_.find(letter)
                                           : find_at(letter, i == 0, i + length == word.size());
      if (t >= 0) {
        write_unknowns(unknowns, out);
        out.push_back(t);
      } else if (!(byte_fallback_ && write_bytes(letter, i == 0, i + length == word.size(), out)) && has_unknown_) {
        check(unknown_ >= 0, errc::corrupt, "ctlm: the unk_token of this tokenizer is not in its vocab");
        if (!fuse_unk_) write_unknowns(unknowns, out);
        unknowns = 1;
      }
    }
    write_unknowns(unknowns, out);
  }
  void write_unknowns(std::size_t& n, std::vector<token>& out) const {
    if (n > 0) out.push_back(unknown_);
    n = 0;
  }
  std::string decorated(std::string_view letter, bool is_first, bool is_last) const {
    return std::string(is_first ? "" : prefix_).append(letter).append(is_last ? suffix_ : "");
  }
  token find_at(std::string_view letter, bool is_first, bool is_last) const {
    return words_.find(decorated(letter, is_first, is_last));
  }
  // All bytes or none.
  bool write_bytes(std::string_view letter, bool is_first, bool is_last, std::vector<token>& out) const {
    const std::string bytes =
        decorated(words_.as_bytes() ? letters_of_bytes(letter) : std::string(letter), is_first, is_last);
    for (const char c : bytes)
      if (codes_[static_cast<unsigned char>(c)] < 0) return false;
    for (const char c : bytes) out.push_back(codes_[static_cast<unsigned char>(c)]);
    return true;
  }

  // Merges out[begin, end).
  void merge(std::vector<token>& out, std::size_t begin) const {
    const std::size_t n = out.size() - begin;
    token* const t = out.data() + begin;
    if (n <= merging_detail::few) return out.resize(begin + merging_detail::merge_few(t, n, finder{pairs_}));
    if (n >= merging_detail::none - 1) return merge_huge(out, begin);
    const finder find{pairs_};
    merging_detail::long_word word(t, n, find);
    word.merge(ranks_, is_ordered_);
    out.resize(begin + word.write(t));
  }
  // More tokens than 32 bits count.
  void merge_huge(std::vector<token>& out, std::size_t begin) const {
    std::vector<token> huge(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
    merge_pairs(huge, [&](token left, token right) {
      const pair_entry& e = pairs_.find(left, right);
      return pair_merge{e.made, -static_cast<double>(e.rank)};
    });
    std::copy(huge.begin(), huge.end(), out.begin() + static_cast<std::ptrdiff_t>(begin));
    out.resize(begin + huge.size());
  }

  vocabulary words_;
  pair_table pairs_;
  std::string prefix_, suffix_;
  bool byte_fallback_ = false, ignore_merges_ = false, fuse_unk_ = false, has_unknown_ = false;
  bool spells_bytes_ = false;  // each letter is a byte
  bool is_ordered_ = true;     // a merge makes only pairs of higher ranks
  std::size_t ranks_ = 0;      // all are below
  std::vector<bool> whole_;    // tokens whose texts are one token
  token unknown_ = -1, codes_[256]{}, single_[256]{};
};

}}}  // namespace ctlm::model_detail
