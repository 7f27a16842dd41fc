// SPDX-License-Identifier: MIT
// ctlm: Unigram (Kudo 2018): the pieces whose scores add up to most (Viterbi).
#pragma once

#include "vocabulary.hpp"

#include <cmath>

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

class unigram {
 public:
  static constexpr const char* type = "Unigram";

  static result<unigram> read(const json::value& v, bool as_bytes) {
    unigram m;
    const json::value rows = v.find("vocab"), unknown = v.find("unk_id");
    if (rows.kind() != json::kind::array)
      return tokenizer_json_detail::damaged("ctlm: tokenizer.json: the model at byte {where} has no vocab", v);
    m.words_ = vocabulary(as_bytes, rows.elements().size());
    if (const auto r = m.read_rows(rows); !r) return r.error();
    if (unknown && !unknown.is_null()) {
      const auto id = unknown.as_integer<token>();
      if (!id) return id.error();
      if (!m.words_.has(*id))
        return failure{errc::corrupt, "ctlm: tokenizer.json: unk_id is {token}, and there are {needed} tokens", 0,
                       m.words_.size(), static_cast<std::size_t>(*id)};
      m.unknown_ = *id;
    }
    m.byte_fallback_ = tokenizer_json_detail::flag(v, "byte_fallback", false);
    m.find_codes();
    return result<unigram>(static_cast<unigram&&>(m));
  }
  // What a piece is: none that texts have, one that was learnt, or one that the user has chosen.
  enum class role : std::uint8_t { none, learnt, chosen };
  // As SentencePiece (0.2.3) has it: which pieces may be found, and scores and sums are numbers of single precision.
  struct scored {
    vocabulary words;
    std::vector<float> scores;  // of each token
    std::vector<role> roles;    // of each token
    token unknown = -1;
    bool byte_fallback = false;
  };
  static unigram of(scored s) {
    unigram m;
    m.words_ = static_cast<vocabulary&&>(s.words);
    float lowest = std::numeric_limits<float>::max();
    for (std::size_t t = 0; t < s.scores.size(); ++t) {
      const std::string_view text = m.words_.spelling(static_cast<token>(t));
      if (s.roles[t] == role::learnt) lowest = std::min(lowest, s.scores[t]);
      if (s.roles[t] != role::none && !text.empty()) m.enter(text, static_cast<token>(t));
      m.scores_.push_back(static_cast<double>(s.roles[t] == role::chosen ? chosen_score(text) : s.scores[t]));
    }
    m.lowest_ = static_cast<double>(lowest);
    m.unknown_ = s.unknown;
    m.byte_fallback_ = s.byte_fallback;
    m.is_single_ = true;
    m.find_codes();
    return m;
  }
  const vocabulary& words() const { return words_; }

  // Raises errc::corrupt where the unknown token is needed, and the file has none.
  void encode(std::string_view text, std::vector<token>& out) const {
    if (text.empty()) return;
    std::vector<step> best(text.size() + 1);
    search(text, best);
    std::vector<std::size_t> borders;  // from back to front
    bool last_unknown = false;
    for (std::size_t end = text.size(); end > 0; end = best[end].begin) {
      const bool is_unknown = best[end].is_unknown;
      if (!(is_unknown && last_unknown)) borders.push_back(end);  // those beside each other are one
      last_unknown = is_unknown;
    }
    std::size_t begin = 0;
    for (std::size_t i = borders.size(); i-- > 0; begin = borders[i])
      write(text.substr(begin, borders[i] - begin), best[borders[i]].is_unknown, out);
  }

 private:
  // A piece of the user's is better than those that were learnt, whose scores are below 0, and one than two.
  static float chosen_score(std::string_view text) {
    return static_cast<float>(0.1 * (static_cast<double>(text.size()) - 1));
  }
  void find_codes() {
    for (std::size_t b = 0; b < 256; ++b) codes_[b] = words_.find_spelt(code_of_byte(static_cast<unsigned char>(b)));
  }

  struct step {  // the best way to a place
    double score = 0;
    std::size_t begin = none;  // where its last piece begins
    bool is_unknown = false;
  };
  static constexpr std::size_t none = ~std::size_t{0};
  static constexpr double penalty = 10;          // of the unknown token, below the lowest score
  static constexpr double most_single = 100000;  // a sum of single precision beyond it is taken off all that follow

  // [["text", score], ...]
  result<void> read_rows(const json::value& rows) {
    token id = 0;
    lowest_ = std::numeric_limits<double>::infinity();
    for (const json::value row : rows.elements()) {
      json::value parts[2];
      std::size_t n = 0;
      for (const json::value part : row.elements()) {
        if (n < 2) parts[n] = part;
        ++n;
      }
      const auto score = parts[1].as_number<double>();
      if (n != 2 || parts[0].kind() != json::kind::string || !score)
        return tokenizer_json_detail::damaged("ctlm: tokenizer.json: the piece at byte {where} is no text with a score",
                                              row);
      const std::string spelt = tokenizer_json_detail::text_of(parts[0]);
      if (const auto r = words_.add(id, spelt); !r) return r;
      if (!spelt.empty()) enter(spelt, id);
      scores_.push_back(*score);
      lowest_ = std::min(lowest_, *score);
      ++id;
    }
    return {};
  }
  void enter(std::string_view spelt, token id) {
    token node = 0;
    for (const char c : spelt) {
      const auto byte = static_cast<token>(static_cast<unsigned char>(c));
      token next = children_.find(node, byte).made;
      if (next < 0) {
        next = static_cast<token>(ends_.size());
        ends_.push_back(-1);
        children_.set(node, byte, 0, next);
      }
      node = next;
    }
    ends_[static_cast<std::size_t>(node)] = id;
  }

  void search(std::string_view text, std::vector<step>& best) const {
    std::size_t farthest = 0;
    const auto offer = [&](std::size_t begin, std::size_t end, double score, bool is_unknown) {
      step& s = best[end];
      const double sum =
          is_single_ ? static_cast<float>(score) + static_cast<float>(best[begin].score) : score + best[begin].score;
      if (s.begin == none || sum > s.score) s = {sum, begin, is_unknown};
      farthest = larger(farthest, end);
    };
    for (std::size_t begin = 0, length = 1; begin < text.size(); begin += length) {
      length = character_at(text, begin).length;
      if (is_single_ && std::abs(best[begin].score) > most_single) begin_anew(best, begin, farthest);
      bool has_single = false;
      token node = 0;
      for (std::size_t end = begin; end < text.size();) {
        node = children_.find(node, static_cast<token>(static_cast<unsigned char>(text[end]))).made;
        if (node < 0) break;
        ++end;
        if (const token id = ends_[static_cast<std::size_t>(node)]; id >= 0) {
          offer(begin, end, scores_[static_cast<std::size_t>(id)], id == unknown_);
          if (end == begin + length) has_single = true;
        }
      }
      if (has_single) continue;
      check(unknown_ >= 0, errc::corrupt, "ctlm: this tokenizer has no unk_id, and a text needs one");
      const double score = lowest_ - penalty;
      offer(begin, begin + length, is_single_ ? static_cast<float>(score) : score, true);
    }
  }
  // Sums of a long text from `begin` on, so that they stay small enough for single precision.
  static void begin_anew(std::vector<step>& best, std::size_t begin, std::size_t farthest) {
    const auto before = static_cast<float>(best[begin].score);
    for (std::size_t i = begin; i <= farthest; ++i)
      if (i == begin || best[i].begin != none) best[i].score = static_cast<float>(best[i].score) - before;
  }
  void write(std::string_view piece, bool is_unknown, std::vector<token>& out) const {
    if (!(is_single_ && is_unknown))
      if (const token t = words_.find(piece); t >= 0) return out.push_back(t);
    bool has_codes = byte_fallback_;
    for (const char c : piece) has_codes = has_codes && codes_[static_cast<unsigned char>(c)] >= 0;
    if (!has_codes) {
      check(unknown_ >= 0, errc::corrupt, "ctlm: this tokenizer has no unk_id, and a text needs one");
      return out.push_back(unknown_);
    }
    for (const char c : piece) out.push_back(codes_[static_cast<unsigned char>(c)]);
  }

  vocabulary words_;
  std::vector<double> scores_;
  double lowest_ = 0;
  pair_table children_;                 // of a node of the tree of pieces and a byte: the next node
  std::vector<token> ends_{token{-1}};  // the piece that ends at a node
  bool byte_fallback_ = false, is_single_ = false;
  token unknown_ = -1, codes_[256]{};
};

}}}  // namespace ctlm::model_detail
