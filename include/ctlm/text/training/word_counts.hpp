// SPDX-License-Identifier: MIT
// ctlm: the different words of a text, and how often it has each.
#pragma once

#include "../model/piece_table.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace training_detail {

// Words and their counts, in the order in which they came.
class word_counts {
 public:
  void add(std::string_view word, std::uint64_t n = 1) { add(word, model_detail::hash_of(word), n); }
  void add(const word_counts& other) {
    for (const entry& e : other.entries_) add(other.text_of(e), e.hash, e.count);
  }
  std::size_t size() const { return entries_.size(); }
  // Bytes of all words together.
  std::size_t bytes() const { return bytes_.size(); }
  // f(word, count) for each.
  template <class F>
  void for_each(F f) const {
    for (const entry& e : entries_) f(text_of(e), e.count);
  }
  void clear() { *this = word_counts(); }

 private:
  struct entry {
    std::uint64_t hash;
    std::size_t at, length;
    std::uint64_t count;
  };
  std::string_view text_of(const entry& e) const { return std::string_view(bytes_).substr(e.at, e.length); }
  void add(std::string_view word, std::uint64_t hash, std::uint64_t n) {
    if (2 * (entries_.size() + 1) > slots_.size()) grow();
    std::size_t i = static_cast<std::size_t>(hash) & (slots_.size() - 1);
    for (; slots_[i] != 0; i = (i + 1) & (slots_.size() - 1)) {
      entry& e = entries_[slots_[i] - 1];
      if (e.hash == hash && text_of(e) == word) {
        e.count += n;
        return;
      }
    }
    entries_.push_back({hash, bytes_.size(), word.size(), n});
    bytes_.append(word);
    slots_[i] = entries_.size();
  }
  void grow() {
    slots_.assign(slots_.empty() ? 1024 : 2 * slots_.size(), 0);
    for (std::size_t n = 0; n < entries_.size(); ++n) {
      std::size_t i = static_cast<std::size_t>(entries_[n].hash) & (slots_.size() - 1);
      while (slots_[i] != 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = n + 1;
    }
  }

  std::string bytes_;
  std::vector<entry> entries_;
  std::vector<std::size_t> slots_;  // 1 more than an entry's number, or 0; a power of two of them
};

}}}  // namespace ctlm::training_detail
