// SPDX-License-Identifier: MIT
// ctlm: a text as it is generated: tokens in, whole characters out, until a stop string or a stop token.
#pragma once

#include "../core/result.hpp"
#include "tokenizer.hpp"
#include "utf8_repair.hpp"

#include <algorithm>

namespace ctlm { inline namespace CTLM_ABI {

/// What ends a generated text, beside its length. Neither is part of the text.
struct text_stops {
  std::vector<std::string> texts;  ///< stop strings, in UTF-8: the first that is complete ends the text before it
  std::vector<token> tokens;       ///< stop tokens
};

/// Looks for stop strings in a text that comes in pieces, and holds back what may be the beginning of one.
class stop_finder {
 public:
  /// Raises errc::invalid_argument for a stop string that is empty or no UTF-8; `where` is which.
  explicit stop_finder(std::vector<std::string> texts = {}) : texts_(static_cast<std::vector<std::string>&&>(texts)) {
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      std::string whole;
      utf8_repair repair;
      repair.push(texts_[i], whole);
      repair.finish(whole);
      check(!texts_[i].empty(), errc::invalid_argument, "ctlm: stop string {where} is empty", i);
      check(whole == texts_[i], errc::invalid_argument, "ctlm: stop string {where} is not UTF-8", i);
    }
  }

  /// Appends to `out` what belongs to the text for certain. True if a stop string is complete: the one that ends first
  /// and, of those, the longest; what comes then is ignored.
  bool push(std::string_view text, std::string& out) {
    if (found_) return true;
    if (texts_.empty()) return out.append(text), false;
    const std::size_t before = held_.size();
    held_.append(text);
    for (std::size_t end = before + 1; end <= held_.size(); ++end)
      if (const std::size_t n = longest_ending_at(end); n > 0) {
        out.append(held_, 0, end - n);
        held_.clear();
        return found_ = true;
      }
    const std::size_t sure = held_.size() - beginning_at_end();
    out.append(held_, 0, sure);
    held_.erase(0, sure);
    return false;
  }
  /// No more comes: appends what was held back.
  void finish(std::string& out) {
    out.append(held_);
    held_.clear();
  }

 private:
  std::size_t longest_ending_at(std::size_t end) const {
    std::size_t longest = 0;
    for (const std::string& s : texts_)
      if (s.size() > longest && s.size() <= end && std::string_view(held_).substr(end - s.size(), s.size()) == s)
        longest = s.size();
    return longest;
  }
  // Bytes at the end with which a stop string begins: of all the most.
  std::size_t beginning_at_end() const {
    std::size_t most = 0;
    for (const std::string& s : texts_)
      for (std::size_t n = std::min(s.size() - 1, held_.size()); n > most; --n)
        if (std::string_view(held_).ends_with(std::string_view(s).substr(0, n))) most = n;
    return most;
  }

  std::vector<std::string> texts_;
  std::string held_;
  bool found_ = false;
};

/// How a tokenizer's tokens become text one by one: the tokenizer's own `decoding` where it has one; otherwise each
/// token adds what decode() makes of it alone, as in bpe and byte_tokenizer.
template <tokenizer T>
class token_decoding {
 public:
  /// The tokenizer must outlive this.
  explicit token_decoding(const T& t) : tokenizer_(&t) {}
  /// Appends the whole characters that are there now.
  void push(token t, std::string& out) { repair_.push(tokenizer_->decode(span<const token>(&t, 1)), out); }
  /// Appends U+FFFD for a character that was cut off.
  void finish(std::string& out) { repair_.finish(out); }

 private:
  const T* tokenizer_;
  utf8_repair repair_;
};
template <tokenizer T>
requires requires { typename T::decoding; }
class token_decoding<T> : public T::decoding {
 public:
  /// The tokenizer must outlive this.
  explicit token_decoding(const T& t) : T::decoding(t) {}
};

/// The text of one sequence as its tokens come. What push() and finish() return adds up to decode() of all the tokens,
/// with U+FFFD for bytes that are no UTF-8, up to the first stop; each piece holds whole characters.
///
///     ctlm::text_stream text(tokenizer, {.texts = {"\nUser:"}, .tokens = {2}});
///     for (ctlm::token t : generated) { print(text.push(t)); if (text.stopped()) break; }
///     print(text.finish());
template <tokenizer T>
class text_stream {
 public:
  /// The tokenizer must outlive this. Raises errc::invalid_argument for a stop string that is empty or no UTF-8.
  explicit text_stream(const T& t, text_stops stops = {})
      : tokens_(static_cast<std::vector<token>&&>(stops.tokens)),
        finder_(static_cast<std::vector<std::string>&&>(stops.texts)),
        decoding_(t) {}

  /// The text that is certain now; it lives until the next call. Behind a stop there is none. Throws std::bad_alloc.
  std::string_view push(token t) {
    piece_.clear();
    if (stopped_) return piece_;
    if (std::find(tokens_.begin(), tokens_.end(), t) != tokens_.end()) {
      end();
      stopped_ = true;
      return piece_;
    }
    made_.clear();
    decoding_.push(t, made_);
    stopped_ = finder_.push(made_, piece_);
    return piece_;
  }
  /// No more tokens come: what was held back. A character that was cut off is U+FFFD.
  std::string_view finish() {
    piece_.clear();
    if (!stopped_) end();
    return piece_;
  }
  /// Whether a stop string or a stop token has ended the text.
  bool stopped() const { return stopped_; }

 private:
  void end() {
    made_.clear();
    decoding_.finish(made_);
    stopped_ = finder_.push(made_, piece_);
    if (!stopped_) finder_.finish(piece_);
  }

  std::vector<token> tokens_;
  stop_finder finder_;
  token_decoding<T> decoding_;
  std::string made_, piece_;
  bool stopped_ = false;
};

}}  // namespace ctlm
