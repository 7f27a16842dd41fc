// SPDX-License-Identifier: MIT
// ctlm: the tables of a tokenizer of llama2.c for flash: every pair whose texts together are a piece is a merge.
#pragma once

#include "../llama2c_tokenizer.hpp"
#include "tables.hpp"

#include <algorithm>
#include <functional>

namespace ctlm { inline namespace CTLM_ABI { namespace packing_detail {

class llama2c_packer {
 public:
  explicit llama2c_packer(const llama2c_tokenizer& t) : from_(t) {}

  tables pack() {
    to_.kind = flash_kind::pieces;
    to_.before = {llama2c_tokenizer::bos};
    read_tokens();
    to_.has_bytes = true;
    for (int b = 0; b < 256; ++b) to_.has_bytes &= llama2c_tokenizer::byte_of(from_.spelling(first_byte + b)) == b;
    for (const auto& [text, id] : index_)
      if (is_letter(text)) to_.pieces[flash_detail::key_of(span<const char>(text.data(), text.size()))] = id;
    find_ranks();
    for (const auto& [text, id] : index_)
      for (std::size_t cut = 1; cut < text.size(); ++cut) add_merges(text.substr(0, cut), text.substr(cut), id);
    return static_cast<tables&&>(to_);
  }

 private:
  static constexpr token first_byte = 3;

  void read_tokens() {
    for (std::size_t i = 0; i < from_.vocab(); ++i) {
      const auto t = static_cast<token>(i);
      const std::string& spelt = from_.spelling(t);
      const int byte = llama2c_tokenizer::byte_of(spelt);
      to_.texts.push_back(byte < 0 ? spelt : std::string(1, static_cast<char>(static_cast<unsigned char>(byte))));
      to_.marks.push_back((byte < 0 ? 0 : flash_detail::is_byte) |
                          (t == llama2c_tokenizer::bos || t == llama2c_tokenizer::eos ? flash_detail::is_special : 0));
      index_.try_emplace(spelt, t);
    }
  }
  // What encode() takes as a character: a byte, and up to three that can follow one.
  static bool is_letter(std::string_view s) {
    if (s.empty() || s.size() > 4) return false;
    return std::all_of(s.begin() + 1, s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; });
  }
  void find_ranks() {
    std::vector<float> scores;
    for (std::size_t i = 0; i < from_.vocab(); ++i) scores.push_back(from_.score(static_cast<token>(i)));
    std::sort(scores.begin(), scores.end(), std::greater<float>());
    scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
    for (std::size_t i = 0; i < from_.vocab(); ++i)
      ranks_.push_back(static_cast<std::uint32_t>(
          std::lower_bound(scores.begin(), scores.end(), from_.score(static_cast<token>(i)), std::greater<float>()) -
          scores.begin()));
  }
  // The tokens with this text that encode() may come to.
  std::vector<token> tokens_of(const std::string& text) const {
    std::vector<token> all;
    if (const auto found = index_.find(text); found != index_.end()) all.push_back(found->second);
    if (const int byte = llama2c_tokenizer::byte_of(text); to_.has_bytes && byte >= 0) all.push_back(first_byte + byte);
    if (!to_.has_bytes && from_.spelling(0) == text) all.push_back(0);
    return all;
  }
  void add_merges(const std::string& left, const std::string& right, token made) {
    const auto ls = tokens_of(left);
    if (ls.empty()) return;
    for (const token l : ls)
      for (const token r : tokens_of(right))
        to_.merges[{l, r}] = {ranks_[static_cast<std::size_t>(made)], static_cast<std::uint32_t>(made)};
  }

  const llama2c_tokenizer& from_;
  std::map<std::string, token> index_;  // of equal texts, the first
  std::vector<std::uint32_t> ranks_;    // by the token that is made
  tables to_;
};

}}}  // namespace ctlm::packing_detail
