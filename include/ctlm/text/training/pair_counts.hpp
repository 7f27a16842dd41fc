// SPDX-License-Identifier: MIT
// ctlm: how often each pair of neighbours occurs, and where, while pairs are merged.
#pragma once

#include "../model/piece_table.hpp"

#include <utility>

namespace ctlm { inline namespace CTLM_ABI { namespace training_detail {

// Places of symbols, in lists that are used again.
class place_lists {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  std::uint32_t make() {
    if (free_.empty()) {
      lists_.emplace_back();
      return static_cast<std::uint32_t>(lists_.size() - 1);
    }
    const std::uint32_t list = free_.back();
    free_.pop_back();
    return list;
  }
  void add(std::uint32_t list, std::uint32_t place) { lists_[list].push_back(place); }
  // The list's places; it is free then.
  std::vector<std::uint32_t> take(std::uint32_t list) {
    free_.push_back(list);
    return std::exchange(lists_[list], {});
  }

 private:
  std::vector<std::vector<std::uint32_t>> lists_;
  std::vector<std::uint32_t> free_;
};

struct pair_count {
  std::uint64_t pair = 0;                    // the left token in its upper half
  std::int64_t count = 0;                    // how often it occurs in the text
  std::uint32_t gained = place_lists::none;  // the list of places that it has gained and that no queue knows yet
  std::uint32_t waiting = 0;                 // how often it is in the queue
};

class pair_counts {
 public:
  static std::uint64_t key_of(std::uint32_t left, std::uint32_t right) { return std::uint64_t{left} << 32 | right; }

  // The number of a pair's count, which is made if there is none.
  std::uint32_t number_of(std::uint64_t pair) {
    if (2 * (counts_.size() + 1) > slots_.size()) grow();
    std::size_t i = slot_of(pair);
    for (; slots_[i] != 0; i = (i + 1) & (slots_.size() - 1))
      if (counts_[slots_[i] - 1].pair == pair) return slots_[i] - 1;
    counts_.push_back({pair});
    slots_[i] = static_cast<std::uint32_t>(counts_.size());
    return slots_[i] - 1;
  }
  pair_count& operator[](std::uint32_t number) { return counts_[number]; }
  std::size_t size() const { return counts_.size(); }

 private:
  std::size_t slot_of(std::uint64_t pair) const {
    return static_cast<std::size_t>(model_detail::stirred(pair)) & (slots_.size() - 1);
  }
  void grow() {
    slots_.assign(slots_.empty() ? 1024 : 2 * slots_.size(), 0);
    for (std::size_t n = 0; n < counts_.size(); ++n) {
      std::size_t i = slot_of(counts_[n].pair);
      while (slots_[i] != 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = static_cast<std::uint32_t>(n + 1);
    }
  }

  std::vector<pair_count> counts_;
  std::vector<std::uint32_t> slots_;  // 1 more than a count's number, or 0; a power of two of them
};

}}}  // namespace ctlm::training_detail
