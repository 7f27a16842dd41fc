// SPDX-License-Identifier: MIT
// ctlm: the inner loop of byte pair encoding: neighbours are merged, the best pair first, until no pair is known.
#pragma once

#include "../core/types.hpp"

#include <queue>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// What is known of two neighbouring tokens: what they become, and how soon.
struct pair_merge {
  token merged = -1;    ///< what the pair becomes; -1: this pair is not in the vocabulary
  double priority = 0;  ///< pairs with a higher one are merged first; of equals, the leftmost. Not NaN
};

/// Merges neighbours in place until find(left, right) -> pair_merge knows no pair of them. Takes n log n for n tokens,
/// whatever they are: a heap holds the pairs, a linked list the tokens.
template <class Find>
void merge_pairs(std::vector<token>& tokens, Find find) {
  constexpr std::size_t none = ~std::size_t{0};
  struct node {
    token t;
    std::size_t previous, next;
  };
  struct candidate {
    pair_merge merge;
    std::size_t place;
    token left, right;  // the pair as it was when it was pushed
    bool operator<(const candidate& o) const {
      return merge.priority != o.merge.priority ? merge.priority < o.merge.priority : place > o.place;
    }
  };
  const std::size_t n = tokens.size();
  std::vector<node> nodes(n);
  for (std::size_t i = 0; i < n; ++i) nodes[i] = {tokens[i], i == 0 ? none : i - 1, i + 1 == n ? none : i + 1};
  std::priority_queue<candidate> heap;
  auto offer = [&](std::size_t i) {
    if (i == none || nodes[i].next == none) return;
    const token left = nodes[i].t, right = nodes[nodes[i].next].t;
    if (const pair_merge m = find(left, right); m.merged >= 0) heap.push({m, i, left, right});
  };
  for (std::size_t i = 0; i < n; ++i) offer(i);
  while (!heap.empty()) {
    const candidate c = heap.top();
    heap.pop();
    node& left = nodes[c.place];
    if (left.t != c.left || left.next == none || nodes[left.next].t != c.right) continue;  // another merge changed it
    node& right = nodes[left.next];
    left.t = c.merge.merged;
    left.next = right.next;
    right = {-1, none, none};
    if (left.next != none) nodes[left.next].previous = c.place;
    offer(c.place);
    offer(left.previous);
  }
  std::size_t kept = 0;
  for (std::size_t i = n > 0 ? 0 : none; i != none; i = nodes[i].next) tokens[kept++] = nodes[i].t;
  tokens.resize(kept);
}

}}  // namespace ctlm
