// SPDX-License-Identifier: MIT
// ctlm: byte-level byte pair encoding (Sennrich, Haddow, Birch 2016), trained on the spot.
//
// Text is first cut into words: a run of letters, of digits or of other visible characters, with one space before it if
// there is one; or a run of white space. Bytes above 127 count as letters, so that UTF-8 stays together. Merges never
// cross words. Tokens 0..255 are the bytes, token 256 + i is merge i; every string survives a round trip.
#pragma once

#include "../core/result.hpp"
#include "../core/span.hpp"
#include "../memory/out_of_memory.hpp"
#include "bpe_words.hpp"
#include "merge_pairs.hpp"
#include "tokenizer.hpp"

#include <algorithm>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// A byte pair encoding: which pairs of tokens are merged, in which order. A tokenizer (text/tokenizer.hpp).
class bpe {
 public:
  /// Two tokens that become one.
  struct merge {
    token left;   ///< the first of the pair
    token right;  ///< the second
    friend bool operator==(const merge&, const merge&) = default;
  };

  /// The bytes of all merged tokens together: no table may ask for more. Each merge can double the longest token, so
  /// that a table of a few hundred bytes could otherwise ask for gigabytes. The largest vocabularies in use need a few
  /// megabytes.
  static constexpr std::size_t most_bytes = std::size_t{16} << 20;

  bpe() = default;
  /// A merge may only refer to tokens before it, no pair may be merged twice (errc::corrupt), and the tokens may need
  /// at most most_bytes (errc::out_of_memory); `where` is the merge.
  static result<bpe> from_merges(span<const merge> merges) {
    return or_out_of_memory("ctlm: there is not enough memory for this tokenizer", [&]() -> result<bpe> {
      bpe b;
      for (const merge& m : merges)
        if (const auto r = b.add(m); !r) return r.error();
      return b;
    });
  }

  /// Learns at most vocab - 256 merges; fewer if no pair occurs twice. Deterministic: ties go to the smaller pair.
  /// Pairs whose token would exceed most_bytes are passed over: from_merges accepts whatever this learns. Throws
  /// std::bad_alloc if memory runs out.
  static bpe train(std::string_view text, std::size_t vocab) { return trainer(text).run(vocab); }

  /// Number of tokens: the 256 bytes and one for each merge.
  std::size_t vocab() const { return 256 + merges_.size(); }
  /// All merges, in the order in which they were learned: what from_merges takes.
  const std::vector<merge>& merges() const { return merges_; }

  /// The tokens of a text. Throws std::bad_alloc if memory runs out.
  std::vector<token> encode(std::string_view text) const {
    std::vector<token> out;
    std::unordered_map<std::string_view, std::vector<token>> known;
    for_each_word(text, [&](std::string_view word) {
      auto [entry, is_new] = known.try_emplace(word);
      if (is_new) entry->second = encode_word(word);
      out.insert(out.end(), entry->second.begin(), entry->second.end());
    });
    return out;
  }

  /// The bytes of a token; empty for a token that does not exist.
  std::string_view bytes_of(token t) const {
    if (t < 0 || static_cast<std::size_t>(t) >= vocab()) return {};
    return t < 256 ? std::string_view(single_bytes() + t, 1)
                   : std::string_view(strings_[static_cast<std::size_t>(t) - 256]);
  }
  /// The bytes of all tokens, one after the other; a token that does not exist adds nothing.
  std::string decode(span<const token> tokens) const {
    std::string text;
    for (token t : tokens) text += bytes_of(t);
    return text;
  }

  /// f(word) for the words that a text is cut into, from its beginning to its end; together they are the text.
  template <class F>
  static void for_each_word(std::string_view text, F f) {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = bpe_detail::end_of_word(span<const char>(text.data(), text.size()), i);
      f(text.substr(i, end - i));
      i = end;
    }
  }

 private:
  static const char* single_bytes() {
    static constexpr auto table = [] {
      struct {
        char c[256];
      } t{};
      for (int i = 0; i < 256; ++i) t.c[i] = static_cast<char>(i);
      return t;
    }();
    return table.c;
  }
  static std::uint64_t key(token left, token right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }

  /// Bytes of the token that this merge makes. Both tokens must exist; each has at most most_bytes.
  std::size_t length_of(merge m) const { return bytes_of(m.left).size() + bytes_of(m.right).size(); }
  bool has_room_for(merge m) const { return length_of(m) <= most_bytes - bytes_; }

  result<void> add(merge m) {
    const std::size_t rank = merges_.size(), limit = vocab();
    for (const token t : {m.left, m.right})
      if (t < 0 || static_cast<std::size_t>(t) >= limit)
        return failure{errc::corrupt,
                       "ctlm: merge {where} of this tokenizer refers to token {token}; only those below {needed} exist "
                       "before it",
                       rank, limit, static_cast<std::size_t>(t)};
    if (!has_room_for(m))
      return failure{errc::out_of_memory,
                     "ctlm: the tokens of this tokenizer need {needed} bytes up to merge {where}; at most {had} are "
                     "allowed",
                     rank, bytes_ + length_of(m), most_bytes};
    if (const auto first = ranks_.find(key(m.left, m.right)); first != ranks_.end())
      return failure{errc::corrupt, "ctlm: merge {where} of this tokenizer repeats merge {had}", rank, 0,
                     static_cast<std::size_t>(first->second)};
    append(m);
    return {};
  }
  void append(merge m) {
    ranks_.try_emplace(key(m.left, m.right), static_cast<token>(merges_.size()));
    std::string bytes(bytes_of(m.left));
    bytes += bytes_of(m.right);
    bytes_ += bytes.size();
    strings_.push_back(std::move(bytes));
    merges_.push_back(m);
  }

  std::vector<token> encode_word(std::string_view word) const {
    std::vector<token> tokens = byte_tokenizer::encode(word);
    merge_pairs(tokens, [&](token left, token right) {
      const auto found = ranks_.find(key(left, right));
      return found == ranks_.end() ? pair_merge{}
                                   : pair_merge{256 + found->second, -static_cast<double>(found->second)};
    });
    return tokens;
  }

  /// Every distinct word is a linked list of tokens. A pair knows how often it occurs and where, so that a merge visits
  /// only its own occurrences: n log n whatever the words, one of a million letters or a text without spaces included.
  class trainer {
   public:
    explicit trainer(std::string_view text) {
      std::unordered_map<std::string_view, long> counts;
      std::vector<std::string_view> words;  // in the order of the text: the same on every machine
      for_each_word(text, [&](std::string_view word) {
        if (++counts[word] == 1) words.push_back(word);
      });
      for (std::string_view word : words) add_word(word, counts[word]);
      for (const auto& [pair, p] : pairs_) heap_.push({p.count, pair});
    }

    bpe run(std::size_t vocab) {
      bpe b;
      while (b.vocab() < vocab && !heap_.empty()) {
        const auto [count, pair] = heap_.top();
        heap_.pop();
        const auto found = pairs_.find(pair);
        const long now = found == pairs_.end() ? 0 : found->second.count;
        if (now != count) {  // since it was pushed, other merges have taken some of its occurrences
          if (now > 1) heap_.push({now, pair});
          continue;
        }
        if (count < 2) break;
        const merge m{static_cast<token>(pair >> 32), static_cast<token>(pair & 0xFFFFFFFFu)};
        if (!b.has_room_for(m)) continue;
        apply(m, static_cast<token>(b.vocab()));
        b.append(m);
      }
      return b;
    }

   private:
    static constexpr std::size_t none = ~std::size_t{0};
    struct node {
      token t;
      std::size_t previous, next;
      long count;  // how often the text has this word
    };
    struct pair_info {
      long count = 0;
      std::vector<std::size_t> places;  // of the left token, ascending; some may be gone
    };
    struct entry {
      long count;
      std::uint64_t pair;
      bool operator<(const entry& o) const { return count != o.count ? count < o.count : pair > o.pair; }
    };

    void add_word(std::string_view word, long count) {
      const std::size_t first = nodes_.size(), end = first + word.size();
      for (std::size_t i = first; i < end; ++i)
        nodes_.push_back({static_cast<unsigned char>(word[i - first]), i == first ? none : i - 1,
                          i + 1 == end ? none : i + 1, count});
      for (std::size_t i = first; i + 1 < end; ++i) gain(i);
    }
    pair_info& pair_at(std::size_t left) { return pairs_[key(nodes_[left].t, nodes_[nodes_[left].next].t)]; }
    std::uint64_t gain(std::size_t left) {
      pair_info& p = pair_at(left);
      p.count += nodes_[left].count;
      p.places.push_back(left);
      return key(nodes_[left].t, nodes_[nodes_[left].next].t);
    }
    void lose(std::size_t left) { pair_at(left).count -= nodes_[left].count; }

    void apply(merge m, token merged) {
      const std::vector<std::size_t> places = std::move(pairs_[key(m.left, m.right)].places);
      std::vector<std::uint64_t> gained;
      for (std::size_t i : places) {
        node& left = nodes_[i];
        if (left.t != m.left || left.next == none || nodes_[left.next].t != m.right) continue;  // gone
        node& right = nodes_[left.next];
        if (left.previous != none) lose(left.previous);
        if (right.next != none) lose(left.next);
        left.t = merged;
        left.next = right.next;
        right = {-1, none, none, 0};
        if (left.next != none) nodes_[left.next].previous = i;
        if (left.previous != none) gained.push_back(gain(left.previous));
        if (left.next != none) gained.push_back(gain(i));
      }
      pairs_.erase(key(m.left, m.right));
      std::sort(gained.begin(), gained.end());
      gained.erase(std::unique(gained.begin(), gained.end()), gained.end());
      for (std::uint64_t pair : gained) heap_.push({pairs_[pair].count, pair});
    }

    std::vector<node> nodes_;
    std::unordered_map<std::uint64_t, pair_info> pairs_;
    std::priority_queue<entry> heap_;
  };

  std::vector<merge> merges_;
  std::vector<std::string> strings_;
  std::unordered_map<std::uint64_t, token> ranks_;
  std::size_t bytes_ = 0;  // of strings_
};

}}  // namespace ctlm
