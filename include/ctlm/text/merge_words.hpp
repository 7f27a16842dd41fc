// SPDX-License-Identifier: MIT
// ctlm: merges the tokens of a word, the pair of the lowest rank first and of equals the leftmost. Three ways, for
// short, longer and very long words, come to the same tokens.
//
// Short: the lowest rank is looked for again after each merge. Longer: a heap of ranks and places. Very long: places
// wait in a list for each rank, and all of a rank are merged at once, from front to back. Then new pairs are looked up.
// That is right while no merge makes a pair of its own rank or of a lower one: of tables whose merges were learned one
// after the other it is known; of others it is asked at each merge, and where it happens the heap does the rest.
#pragma once

#include "../core/span.hpp"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI { namespace merging_detail {

inline constexpr std::uint32_t none = ~std::uint32_t{0};  // no place, and the rank of a pair that nothing merges

/// A pair and what it becomes; of a pair that nothing merges, made is -1.
struct ranked_pair {
  std::uint32_t rank = none;
  token made = -1;
};

inline constexpr std::size_t few = 48;                     // so many tokens are merged where they lie
inline constexpr std::size_t many = 2048;                  // from so many on, ranks have lists
inline constexpr std::size_t most = std::size_t{1} << 30;  // and up to so many
inline constexpr std::size_t spread = 128;                 // for each token of a word there may be so many lists

// The best pair of all, again and again, of at most `few` tokens; how many are left. Ranks of pairs are kept, so that a
// merge looks two up.
template <class Find>
std::size_t merge_few(token* t, std::size_t n, const Find& find) {
  std::uint32_t ranks[few];
  token made[few];
  const auto look = [&](std::size_t i) {
    const ranked_pair p = find(t[i], t[i + 1]);
    ranks[i] = p.rank;
    made[i] = p.made;
  };
  for (std::size_t i = 0; i + 1 < n; ++i) look(i);
  while (n > 1) {
    std::size_t best = 0;
    std::uint32_t lowest = ranks[0];
    for (std::size_t i = 1; i + 1 < n; ++i)
      if (ranks[i] < lowest) lowest = ranks[i], best = i;
    if (lowest == none) break;
    t[best] = made[best];
    for (std::size_t i = best + 1; i + 1 < n; ++i) t[i] = t[i + 1];
    for (std::size_t i = best + 1; i + 2 < n; ++i) ranks[i] = ranks[i + 1], made[i] = made[i + 1];
    --n;
    if (best + 1 < n) look(best);
    if (best > 0) look(best - 1);
  }
  return n;
}

// A token of a word, and the rank of its pair with the next one.
struct symbol {
  token t;
  std::uint32_t rank, previous, next;
};

// The tokens of one word, as a list.
template <class Find>
class long_word {
 public:
  // Fewer than none - 1 tokens.
  long_word(const token* t, std::size_t n, const Find& find) : s_(n), find_(find) {
    for (std::uint32_t i = 0; i < n; ++i) s_[i] = {t[i], none, i == 0 ? none : i - 1, i + 1 == n ? none : i + 1};
  }

  // `ranks`: all are below. `ordered`: a merge makes only pairs of higher ranks.
  void merge(std::size_t ranks, bool ordered) {
    for (std::uint32_t i = 0; i < s_.size(); ++i) s_[i].rank = rank_at(i);
    const bool has_lists = s_.size() >= many && s_.size() <= most && ranks / spread <= s_.size();
    if (!has_lists || !merge_by_lists(ranks, ordered)) merge_by_heap();
  }
  // Writes what is left; how many there are.
  std::size_t write(token* to) const {
    std::size_t n = 0;
    for (std::uint32_t i = s_.empty() ? none : 0; i != none; i = s_[i].next) to[n++] = s_[i].t;
    return n;
  }

 private:
  static constexpr std::uint32_t changed = none - 1;  // of a pair that must be looked up

  std::uint32_t rank_at(std::uint32_t i) const {
    return s_[i].next == none ? none : find_(s_[i].t, s_[s_[i].next].t).rank;
  }
  // The pair at i becomes a token.
  void join(std::uint32_t i, token made) {
    symbol& left = s_[i];
    symbol& right = s_[left.next];
    left.t = made;
    left.next = right.next;
    right.rank = none;
    if (left.next != none) s_[left.next].previous = i;
  }

  void merge_by_heap() {
    std::vector<std::uint64_t> heap;  // rank, place
    heap.reserve(s_.size());
    for (std::uint32_t i = 0; i < s_.size(); ++i)
      if (s_[i].rank != none) heap.push_back(std::uint64_t{s_[i].rank} << 32 | i);
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    const auto look = [&](std::uint32_t i) {
      s_[i].rank = rank_at(i);
      if (s_[i].rank == none) return;
      heap.push_back(std::uint64_t{s_[i].rank} << 32 | i);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    while (!heap.empty()) {
      const auto i = static_cast<std::uint32_t>(heap.front()), rank = static_cast<std::uint32_t>(heap.front() >> 32);
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      heap.pop_back();
      if (s_[i].rank != rank) continue;  // another merge changed it
      join(i, find_(s_[i].t, s_[s_[i].next].t).made);
      look(i);
      if (s_[i].previous != none) look(s_[i].previous);
    }
  }

  // Places that wait for their rank, the last one first.
  class lists {
   public:
    lists(std::size_t ranks, std::size_t n) : first_(ranks, none) { entries_.reserve(n); }
    void push(std::uint32_t rank, std::uint32_t place) {
      std::uint32_t e = free_;
      if (e == none) {
        e = static_cast<std::uint32_t>(entries_.size());
        entries_.push_back({});
      } else {
        free_ = entries_[e].next;
      }
      entries_[e] = {place, first_[rank]};
      first_[rank] = e;
    }
    // From front to back.
    void take(std::size_t rank, std::vector<std::uint32_t>& places) {
      places.clear();
      for (std::uint32_t e = std::exchange(first_[rank], none); e != none;) {
        places.push_back(entries_[e].place);
        e = std::exchange(entries_[e].next, std::exchange(free_, e));
      }
      std::reverse(places.begin(), places.end());
      if (!std::is_sorted(places.begin(), places.end())) std::sort(places.begin(), places.end());
    }
    std::size_t ranks() const { return first_.size(); }

   private:
    struct entry {
      std::uint32_t place, next;
    };
    std::vector<std::uint32_t> first_;
    std::vector<entry> entries_;
    std::uint32_t free_ = none;
  };

  // False where it cannot go on: ranks of pairs are known then, but not in lists.
  bool merge_by_lists(std::size_t ranks, bool ordered) {
    lists waiting(ranks, s_.size());
    for (std::uint32_t i = 0; i < s_.size(); ++i)
      if (s_[i].rank != none) waiting.push(s_[i].rank, i);
    std::vector<std::uint32_t> places;
    places.reserve(s_.size());
    for (std::size_t rank = 0; rank < waiting.ranks(); ++rank) {
      waiting.take(rank, places);
      const bool goes_on = join_all(places, static_cast<std::uint32_t>(rank), ordered);
      look_again(places, waiting);
      if (!goes_on) return false;
    }
    return true;
  }
  // Keeps the places whose pairs were joined. False where one made a pair that comes before others of these.
  bool join_all(std::vector<std::uint32_t>& places, std::uint32_t rank, bool ordered) {
    std::size_t joined = 0;
    bool goes_on = true;
    token left = -1, right = -1, made = -1;  // most pairs of a rank are equal
    for (std::size_t k = 0; k < places.size() && goes_on; ++k) {
      const std::uint32_t i = places[k];
      if (s_[i].rank != rank) continue;  // another merge changed it
      if (s_[i].t != left || s_[s_[i].next].t != right) {
        left = s_[i].t;
        right = s_[s_[i].next].t;
        made = find_(left, right).made;
      }
      join(i, made);
      s_[i].rank = changed;
      places[joined++] = i;
      if (!ordered) goes_on = rank_at(i) > rank && (s_[i].previous == none || rank_at(s_[i].previous) > rank);
    }
    places.resize(joined);
    return goes_on;
  }
  void look_again(const std::vector<std::uint32_t>& places, lists& waiting) {
    const auto look = [&](std::uint32_t i) {
      s_[i].rank = rank_at(i);
      if (s_[i].rank != none) waiting.push(s_[i].rank, i);
    };
    std::uint32_t last = none;
    for (const std::uint32_t i : places) {
      if (s_[i].previous != none && s_[i].previous != last) look(s_[i].previous);
      look(i);
      last = i;
    }
  }

  std::vector<symbol> s_;
  const Find& find_;
};

}}}  // namespace ctlm::merging_detail
