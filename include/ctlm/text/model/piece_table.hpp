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
inline std::uint64_t hash_of(std::string_view s) {
  std::uint64_t h = 0x9E3779B97F4A7C15u * (s.size() + 1);
  for (; s.size() >= 8; s.remove_prefix(8)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, s.data(), 8);
    h = stirred(h ^ eight);
  }
  std::uint64_t rest = 0;
  if (!s.empty()) std::memcpy(&rest, s.data(), s.size());
  return stirred(h ^ rest);
}

// Texts and their tokens. Of equal texts the last one counts.
class piece_table {
 public:
  void set(std::string_view text, token t) {
    if (2 * (entries_.size() + 1) > slots_.size()) grow();
    std::uint32_t& slot = slots_[slot_of(text)];
    if (slot != 0) {
      entries_[slot - 1].t = t;
      return;
    }
    entries_.push_back({bytes_.size(), text.size(), t});
    bytes_.append(text);
    slot = static_cast<std::uint32_t>(entries_.size());
    if (text.size() > longest_) longest_ = text.size();
  }
  // The token, or -1.
  token find(std::string_view text) const {
    if (text.size() > longest_ || slots_.empty()) return -1;
    const std::uint32_t slot = slots_[slot_of(text)];
    return slot == 0 ? -1 : entries_[slot - 1].t;
  }
  std::size_t longest() const { return longest_; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct entry {
    std::size_t at, length;
    token t;
  };
  std::size_t slot_of(std::string_view text) const {
    std::size_t i = static_cast<std::size_t>(hash_of(text)) & (slots_.size() - 1);
    while (slots_[i] != 0 && text_of(entries_[slots_[i] - 1]) != text) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  std::string_view text_of(const entry& e) const { return std::string_view(bytes_).substr(e.at, e.length); }
  void grow() {
    slots_.assign(slots_.empty() ? 64 : 2 * slots_.size(), 0);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      slots_[slot_of(text_of(entries_[i]))] = static_cast<std::uint32_t>(i + 1);
  }

  std::string bytes_;
  std::vector<entry> entries_;
  std::vector<std::uint32_t> slots_;  // 1 more than an entry's number, or 0; a power of two of them
  std::size_t longest_ = 0;
};

// What a pair of numbers stands for.
struct pair_entry {
  std::uint64_t key = ~std::uint64_t{0};
  std::uint32_t rank = 0;
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
