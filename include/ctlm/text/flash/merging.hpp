// SPDX-License-Identifier: MIT
// ctlm: merges pairs of tokens in memory of a fixed size: a tournament of places, n log n.
#pragma once

#include "../../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A letter of a word while its pairs are merged: 16 bytes.
struct flash_symbol {
  std::uint32_t id = 0;        ///< the token
  std::uint32_t rank = 0;      ///< of its pair with the next one; the lowest is merged first
  std::uint16_t previous = 0;  ///< the place of the one before it
  std::uint16_t next = 0;      ///< the place of the one behind it
  std::uint16_t winner = 0;    ///< of a match in the tournament, which has nothing to do with this letter
  std::uint16_t unused = 0;    ///< nothing
};
static_assert(sizeof(flash_symbol) == 16);

/// Room to encode words of up to Longest bytes: all the memory that a tokenizer in flash needs beside its output.
template <std::size_t Longest>
struct flash_workspace {
  static_assert(Longest >= 1 && Longest <= 65535, "ctlm: a tokenizer in flash encodes words of up to 65535 bytes");
  static constexpr std::size_t bytes = Longest * sizeof(flash_symbol);  ///< what it takes

  flash_symbol symbols[Longest]{};  ///< the room

  /// The first of them.
  constexpr flash_symbol* data() { return symbols; }
  /// How many there are.
  constexpr std::size_t size() const { return Longest; }
};

namespace flash_detail {

inline constexpr std::uint32_t no_rank = ~std::uint32_t{0};

// find(left, right, rank) -> the token that a pair becomes; its rank is no_rank if it becomes none.
template <class Find>
class merging {
 public:
  // The first n symbols have their ids.
  constexpr merging(flash_symbol* symbols, std::size_t n, const Find& find) : s_(symbols), n_(n), find_(find) {}

  // Merges, the lowest rank first and of equals the leftmost. Then f(id) for what is left, in order.
  template <class F>
  constexpr void run(F f) {
    for (std::size_t i = 0; i < n_; ++i) {
      s_[i].previous = i == 0 ? none : place(i - 1);
      s_[i].next = i + 1 == n_ ? none : place(i + 1);
      rate(i);
    }
    for (std::size_t match = n_ - 1; match > 0; --match) play(match);
    for (std::size_t best = winner(1); n_ > 1 && s_[best].rank != no_rank; best = winner(1)) merge(best);
    for (std::size_t i = 0; i != none; i = s_[i].next) f(s_[i].id);
  }

 private:
  static constexpr std::uint16_t none = 0xFFFF;
  static constexpr std::uint16_t place(std::size_t i) { return static_cast<std::uint16_t>(i); }

  constexpr void rate(std::size_t i) {
    s_[i].rank = no_rank;
    if (s_[i].next != none) (void)find_(s_[i].id, s_[s_[i].next].id, s_[i].rank);
  }
  // Matches are numbered from 1 on; those of match m are 2 m and 2 m + 1, and from n on they are the places.
  constexpr std::size_t winner(std::size_t match) const { return match >= n_ ? match - n_ : s_[match].winner; }
  constexpr void play(std::size_t match) {
    const std::size_t a = winner(2 * match), b = winner(2 * match + 1);
    const bool first = s_[a].rank != s_[b].rank ? s_[a].rank < s_[b].rank : a < b;
    s_[match].winner = place(first ? a : b);
  }
  constexpr void play_all_of(std::size_t i) {
    for (std::size_t match = (n_ + i) / 2; match > 0; match /= 2) play(match);
  }
  constexpr void merge(std::size_t i) {
    const std::size_t gone = s_[i].next;
    std::uint32_t rank = no_rank;
    s_[i].id = find_(s_[i].id, s_[gone].id, rank);
    s_[i].next = s_[gone].next;
    if (s_[i].next != none) s_[s_[i].next].previous = place(i);
    s_[gone].rank = no_rank;
    play_all_of(gone);
    rate(i);
    play_all_of(i);
    if (s_[i].previous == none) return;
    rate(s_[i].previous);
    play_all_of(s_[i].previous);
  }

  flash_symbol* s_;
  std::size_t n_;
  const Find& find_;
};

}  // namespace flash_detail

}}  // namespace ctlm
