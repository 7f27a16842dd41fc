// SPDX-License-Identifier: MIT
// ctlm: from texts to numbers, and from pairs of tokens to what they become: two tables with open addressing.
#pragma once

#include "../../core/types.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI { namespace model_detail {

constexpr std::uint64_t stirred(std::uint64_t h) {
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93u;
  return h ^ h >> 32;
}
// So many bytes as a number; which number depends on the machine.
inline std::uint64_t up_to_seven(const char* s, std::size_t n) {
  if (n >= 4) {
    std::uint32_t first = 0, last = 0;
    std::memcpy(&first, s, 4);
    std::memcpy(&last, s + n - 4, 4);
    return std::uint64_t{last} << 32 | first;
  }
  std::uint64_t rest = 0;
  for (std::size_t i = 0; i < n; ++i) rest = rest << 8 | static_cast<unsigned char>(s[i]);
  return rest;
}
inline std::uint64_t hash_of(std::string_view s) {
  std::uint64_t h = 0x9E3779B97F4A7C15u * (s.size() + 1);
  for (; s.size() >= 8; s.remove_prefix(8)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, s.data(), 8);
    h = stirred(h ^ eight);
  }
  return stirred(h ^ up_to_seven(s.data(), s.size()));
}

// Texts and their tokens. Of equal texts the last one counts.
class piece_table {
 public:
  void set(std::string_view text, token t) {
    if (2 * (entries_.size() + 1) > slots_.size()) grow();
    const std::uint64_t hash = hash_of(text);
    slot& s = slots_[slot_of(text, hash)];
    if (s.number != 0) {
      entries_[s.number - 1].t = t;
      return;
    }
    entries_.push_back({bytes_.size(), text.size(), t});
    bytes_.append(text);
    s = {mark_of(hash), static_cast<std::uint32_t>(entries_.size())};
    if (text.size() > longest_) longest_ = text.size();
  }
  // The token, or -1.
  token find(std::string_view text) const {
    if (text.size() > longest_ || slots_.empty()) return -1;
    const std::uint32_t number = slots_[slot_of(text, hash_of(text))].number;
    return number == 0 ? -1 : entries_[number - 1].t;
  }
  std::size_t longest() const { return longest_; }
  std::size_t size() const { return entries_.size(); }
  // f(text, token) for each, in the order in which the texts came.
  template <class F>
  void for_each(F f) const {
    for (const entry& e : entries_) f(text_of(e), e.t);
  }

 private:
  struct entry {
    std::size_t at, length;
    token t;
  };
  struct slot {
    std::uint32_t mark, number;  // a part of the text's hash, and 1 more than its entry, or 0
  };
  static std::uint32_t mark_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  std::size_t slot_of(std::string_view text, std::uint64_t hash) const {
    const std::size_t last = slots_.size() - 1;
    for (std::size_t i = static_cast<std::size_t>(hash) & last;; i = (i + 1) & last) {
      const slot& s = slots_[i];
      if (s.number == 0 || (s.mark == mark_of(hash) && text_of(entries_[s.number - 1]) == text)) return i;
    }
  }
  std::string_view text_of(const entry& e) const { return {bytes_.data() + e.at, e.length}; }
  void grow() {
    slots_.assign(slots_.empty() ? 64 : 2 * slots_.size(), {});
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const std::string_view text = text_of(entries_[i]);
      const std::uint64_t hash = hash_of(text);
      slots_[slot_of(text, hash)] = {mark_of(hash), static_cast<std::uint32_t>(i + 1)};
    }
  }

  std::string bytes_;
  std::vector<entry> entries_;
  std::vector<slot> slots_;  // a power of two of them
  std::size_t longest_ = 0;
};

// What a pair of numbers stands for.
struct pair_entry {
  std::uint64_t key = ~std::uint64_t{0};
  std::uint32_t rank = ~std::uint32_t{0};  // the highest, where there is none
  token made = -1;
};
class pair_table {
 public:
  static std::uint64_t key_of(token left, token right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  void set(token left, token right, std::uint32_t rank, token made) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    pair_entry& e = at(key_of(left, right));
    used_ += e.made < 0;
    e = {key_of(left, right), rank, made};
  }
  // made < 0 where there is none.
  const pair_entry& find(token left, token right) const {
    static constexpr pair_entry none{};
    if (slots_.empty()) return none;
    const std::uint64_t key = key_of(left, right);
    std::size_t i = static_cast<std::size_t>(stirred(key)) & (slots_.size() - 1);
    while (slots_[i].made >= 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return slots_[i];
  }
  // f(pair_entry) for each, in no order.
  template <class F>
  void for_each(F f) const {
    for (const pair_entry& e : slots_)
      if (e.made >= 0) f(e);
  }

 private:
  pair_entry& at(std::uint64_t key) {
    std::size_t i = static_cast<std::size_t>(stirred(key)) & (slots_.size() - 1);
    while (slots_[i].made >= 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return slots_[i];
  }
  void grow() {
    std::vector<pair_entry> old(slots_.empty() ? 64 : 2 * slots_.size());
    old.swap(slots_);
    for (const pair_entry& e : old)
      if (e.made >= 0) at(e.key) = e;
  }

  std::vector<pair_entry> slots_;
  std::size_t used_ = 0;
};

}}}  // namespace ctlm::model_detail
