// SPDX-License-Identifier: MIT
// ctlm: which pairs of neighbours become tokens, and in which order: as Hugging Face's BpeTrainer chooses them.
//
// The pair that occurs most often is merged, of equals the one with the smaller numbers. Every different word is a
// linked list of symbols, and a pair knows where it occurs, so that a merge visits its own places: n log n for n
// symbols.
//
// Two ways to make the same text, "ab" + "c" and "a" + "bc", give one token. Only then can a pair that is in the queue
// gain more places; BpeTrainer puts it there again, with the words that have them, never takes its old count away, and
// may write it down as a merge twice. All that is the same here: it changes which merges follow.
#pragma once

#include "../../core/result.hpp"
#include "../bpe.hpp"
#include "pair_counts.hpp"
#include "word_counts.hpp"

#include <array>
#include <queue>

namespace ctlm { inline namespace CTLM_ABI { namespace training_detail {

struct learner_limits {
  std::size_t vocab, min_frequency, longest;  // longest: in letters
};

class merge_learner {
 public:
  // `spelt`: the tokens there are already, with those of letters among them; `letters`: the token of each byte, or -1
  // for a byte that is left out of words.
  merge_learner(const word_counts& words, const std::array<token, 256>& letters, std::vector<std::string>& spelt,
                const learner_limits& limits)
      : spelt_(spelt), limits_(limits) {
    check(words.bytes() < none, {errc::out_of_memory,
                                 "ctlm: the different words of this text have {needed} bytes; a tokenizer is trained "
                                 "on at most {had}",
                                 0, words.bytes(), none - 1});
    symbols_.reserve(words.bytes());
    words.for_each([&](std::string_view word, std::uint64_t count) { add(word, count, letters); });
    for (std::size_t t = 0; t < spelt.size(); ++t) known_.try_emplace(spelt[t], static_cast<std::uint32_t>(t));
    lengths_.assign(spelt.size(), 1);
    for (std::uint32_t i = 0; i < symbols_.size(); ++i)
      if (symbols_[i].next != none) gain(symbols_[i].id, symbols_[symbols_[i].next].id, i);
    enqueue_gained();
  }

  // The next merge, if there is one.
  bool learn(bpe::merge& made) {
    while (spelt_.size() < limits_.vocab && !queue_.empty()) {
      entry e = queue_.top();
      queue_.pop();
      pair_count& p = pairs_[e.number];
      if (p.count != e.count) {  // merges have taken some of its places since
        e.count = p.count;
        queue_.push(e);
        continue;
      }
      if (e.count < 1 || static_cast<std::uint64_t>(e.count) < limits_.min_frequency) return false;
      --p.waiting;
      const auto left = static_cast<std::uint32_t>(p.pair >> 32), right = static_cast<std::uint32_t>(p.pair);
      const bool whole_words = p.waiting > 0;
      std::vector<std::uint32_t> places = lists_.take(e.places);
      if (whole_words) places = all_in_words_of(places);
      apply(places, left, right, token_of(left, right));
      enqueue_gained();
      made = {static_cast<token>(left), static_cast<token>(right)};
      return true;
    }
    return false;
  }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  struct symbol {
    std::uint32_t id, previous, next, word;
  };
  struct word_place {
    std::uint32_t first;
    std::int64_t count;
  };
  struct entry {
    std::int64_t count;
    std::uint64_t pair;
    std::uint32_t number, places;
    bool operator<(const entry& o) const { return count != o.count ? count < o.count : pair > o.pair; }
  };

  void add(std::string_view word, std::uint64_t count, const std::array<token, 256>& letters) {
    const auto first = static_cast<std::uint32_t>(symbols_.size()), number = static_cast<std::uint32_t>(words_.size());
    for (const char c : word)
      if (const token t = letters[static_cast<unsigned char>(c)]; t >= 0) {
        const auto i = static_cast<std::uint32_t>(symbols_.size());
        symbols_.push_back({static_cast<std::uint32_t>(t), i == first ? none : i - 1, i + 1, number});
      }
    if (symbols_.size() == first) return;
    symbols_.back().next = none;
    words_.push_back({first, static_cast<std::int64_t>(count)});
  }

  // The token that a pair becomes; a new one, if no token is spelt like that.
  std::uint32_t token_of(std::uint32_t left, std::uint32_t right) {
    const auto [found, is_new] =
        known_.try_emplace(spelt_[left] + spelt_[right], static_cast<std::uint32_t>(spelt_.size()));
    if (is_new) {
      spelt_.push_back(found->first);
      lengths_.push_back(0);
    }
    lengths_[found->second] = lengths_[left] + lengths_[right];
    return found->second;
  }

  std::vector<std::uint32_t> all_in_words_of(const std::vector<std::uint32_t>& places) const {
    std::vector<std::uint32_t> words, all;
    for (const std::uint32_t i : places) words.push_back(symbols_[i].word);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (const std::uint32_t w : words)
      for (std::uint32_t i = words_[w].first; i != none; i = symbols_[i].next) all.push_back(i);
    return all;
  }

  void apply(const std::vector<std::uint32_t>& places, std::uint32_t left, std::uint32_t right, std::uint32_t made) {
    for (const std::uint32_t i : places) {
      symbol& a = symbols_[i];
      if (a.id != left || a.next == none || symbols_[a.next].id != right) continue;  // gone
      symbol& b = symbols_[a.next];
      const std::int64_t n = words_[a.word].count;
      if (a.previous != none) {
        lose(symbols_[a.previous].id, left, n);
        if (may_join(a.previous, made)) gain(symbols_[a.previous].id, made, a.previous);
      }
      a.id = made;
      a.next = b.next;
      b = {none, none, none, b.word};
      if (a.next == none) continue;
      symbols_[a.next].previous = i;
      lose(right, symbols_[a.next].id, n);
      if (may_join(a.next, made)) gain(made, symbols_[a.next].id, i);
    }
  }
  bool may_join(std::uint32_t place, std::uint32_t made) const {
    return lengths_[symbols_[place].id] + lengths_[made] < limits_.longest;
  }
  void lose(std::uint32_t left, std::uint32_t right, std::int64_t n) {
    pairs_[pairs_.number_of(pair_counts::key_of(left, right))].count -= n;
  }
  // The pair occurs at this place of its left symbol, too.
  void gain(std::uint32_t left, std::uint32_t right, std::uint32_t place) {
    const std::uint32_t number = pairs_.number_of(pair_counts::key_of(left, right));
    pair_count& p = pairs_[number];
    p.count += words_[symbols_[place].word].count;
    if (p.gained == place_lists::none) {
      p.gained = lists_.make();
      gained_.push_back(number);
    }
    lists_.add(p.gained, place);
  }
  void enqueue_gained() {
    for (const std::uint32_t number : gained_) {
      pair_count& p = pairs_[number];
      const std::uint32_t list = std::exchange(p.gained, place_lists::none);
      if (p.count > 0) {
        ++p.waiting;
        queue_.push({p.count, p.pair, number, list});
      } else {
        (void)lists_.take(list);
      }
    }
    gained_.clear();
  }

  std::vector<std::string>& spelt_;
  learner_limits limits_;
  std::unordered_map<std::string, std::uint32_t> known_;
  std::vector<std::size_t> lengths_;  // of tokens, in letters
  std::vector<symbol> symbols_;
  std::vector<word_place> words_;
  pair_counts pairs_;
  place_lists lists_;
  std::vector<std::uint32_t> gained_;  // numbers of pairs with new places
  std::priority_queue<entry> queue_;
};

}}}  // namespace ctlm::training_detail
