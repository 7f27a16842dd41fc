// SPDX-License-Identifier: MIT
// ctlm: the tokenizer of llama2.c (github.com/karpathy/llama2.c): byte pairs merged by score, with bytes as fallback.
#pragma once

#include "../core/result.hpp"
#include "../io/buffered_reader.hpp"
#include "../memory/out_of_memory.hpp"
#include "merge_pairs.hpp"
#include "tokenizer.hpp"
#include "utf8_repair.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Tokens 0, 1 and 2 are `<unk>`, `<s>` and `</s>`; then come the 256 bytes, spelt `<0x00>` to `<0xFF>`; then longer
/// pieces.
class llama2c_tokenizer {
 public:
  /// Beginning of sequence: the first token of every text, and what ends a generated one (sampler::stop).
  static constexpr token bos = 1;
  static constexpr token eos = 2;                        ///< end of sequence: adds nothing to a text
  static constexpr std::size_t longest_piece = 1 << 16;  ///< in bytes: a file with a longer one is refused

  /// Loads a tokenizer file. It does not say how many tokens it has: `vocab` is the model's.
  /// Errors: errc::not_found, io_error, invalid_argument (a vocab below 259), corrupt (another kind of file: a length
  /// or a score makes no sense; `where` is the token), truncated, wrong_model (another number of tokens),
  /// out_of_memory. Of two tokens with the same bytes, the first is the one that text becomes.
  static result<llama2c_tokenizer> load(const char* path, std::size_t vocab) {
    if (vocab < least)
      return failure{errc::invalid_argument,
                     "ctlm: a tokenizer of llama2.c has at least {needed} tokens; the model's vocabulary is {had}", 0,
                     least, vocab};
    return or_out_of_memory("ctlm: there is not enough memory for this tokenizer",
                            [&]() -> result<llama2c_tokenizer> { return read(path, vocab); });
  }

  /// Number of tokens; 0 before load.
  std::size_t vocab() const { return pieces_.size(); }

  /// How the file spells a token, which must exist: text, or `<0x0A>` for a byte.
  const std::string& spelling(token t) const { return text_of(t); }
  /// The score of a token, which must exist: of two pairs, the one with the higher score is merged first.
  float score(token t) const { return scores_[static_cast<std::size_t>(t)]; }

  /// The byte that a piece like <0x0A> stands for, or -1.
  static int byte_of(std::string_view p) {
    if (p.size() != 6 || !p.starts_with("<0x") || p[5] != '>') return -1;
    const int high = hexadecimal(p[3]), low = hexadecimal(p[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
  }

  /// Tokens of a text, the beginning-of-sequence token first. Bytes that the vocabulary lacks become `<unk>`. Without a
  /// vocabulary there are no tokens.
  std::vector<token> encode(std::string_view text) const {
    if (pieces_.empty()) return {};
    std::vector<token> tokens{bos};
    if (!text.empty()) push_piece(tokens, " ");
    for (std::size_t i = 0; i < text.size();) {
      std::size_t n = 1;  // a UTF-8 character is taken whole if the vocabulary has it
      while (i + n < text.size() && n < 4 && (static_cast<unsigned char>(text[i + n]) & 0xC0) == 0x80) ++n;
      push_piece(tokens, std::string(text.substr(i, n)));
      i += n;
    }
    merge(tokens);
    return tokens;
  }

  /// The text that `next` adds after `previous`; empty for a token that does not exist.
  std::string piece(token previous, token next) const {
    if (next < 0 || static_cast<std::size_t>(next) >= vocab()) return {};
    const std::string& p = text_of(next);
    if (const int byte = byte_of(p); byte >= 0) return std::string(1, static_cast<char>(byte));
    return previous == bos && !p.empty() && p[0] == ' ' ? p.substr(1) : p;
  }
  /// The text of all tokens; bos and eos add nothing.
  std::string decode(span<const token> tokens) const {
    std::string text;
    token previous = bos;
    for (token t : tokens) {
      if (t != bos && t != eos) text += piece(previous, t);
      previous = t;
    }
    return text;
  }
  /// Decodes token by token: the pieces add up to decode(), with U+FFFD for bytes that are no UTF-8.
  class decoding {
   public:
    /// The tokenizer must outlive this.
    explicit decoding(const llama2c_tokenizer& t) : tokenizer_(&t) {}
    /// Appends the whole characters that are there now.
    void push(token t, std::string& out) {
      if (t != bos && t != eos) repair_.push(tokenizer_->piece(previous_, t), out);
      previous_ = t;
    }
    /// Appends U+FFFD for a character that was cut off.
    void finish(std::string& out) { repair_.finish(out); }

   private:
    const llama2c_tokenizer* tokenizer_;
    token previous_ = bos;
    utf8_repair repair_;
  };

 private:
  static constexpr token unknown = 0;
  static constexpr token first_byte = 3;
  static constexpr std::size_t least = first_byte + 256;

  struct entry {
    float score = 0;
    std::string bytes;
  };

  static failure not_a_tokenizer(const char* what, std::size_t where, std::size_t needed, std::size_t had) {
    return {errc::corrupt, what, where, needed, had};
  }

  /// Token number `index` of the file.
  static result<entry> read_entry(buffered_reader& file, std::size_t index) {
    entry e;
    std::int32_t length = 0;
    const failure cut_off{errc::truncated,
                          "ctlm: this tokenizer file is cut off: its token {where} needs {needed} bytes, it has {had}",
                          index, sizeof e.score + sizeof length, static_cast<std::size_t>(file.left())};
    if (file.left() < cut_off.needed) return cut_off;
    if (const auto r = file.read(&e.score, sizeof e.score); !r) return r.error();
    if (const auto r = file.read(&length, sizeof length); !r) return r.error();
    if (e.score != e.score)
      return not_a_tokenizer(
          "ctlm: this is not a tokenizer of llama2.c: the score of its token {where} is not a number", index, 0, 0);
    if (length < 0 || static_cast<std::size_t>(length) > longest_piece)
      return not_a_tokenizer(
          "ctlm: this is not a tokenizer of llama2.c: its token {where} would be {token} bytes long, and {needed} are "
          "the most",
          index, longest_piece, static_cast<std::size_t>(length));
    const auto n = static_cast<std::size_t>(length);
    if (n > file.left()) return failure{cut_off.code, cut_off.what, index, n, static_cast<std::size_t>(file.left())};
    e.bytes.resize(n);
    if (const auto r = file.read(e.bytes.data(), n); !r) return r.error();
    return result<entry>(static_cast<entry&&>(e));
  }

  static result<llama2c_tokenizer> read(const char* path, std::size_t vocab) {
    const auto descriptor = open_to_read(path);
    if (!descriptor) return descriptor.error();
    const auto size = file_size(descriptor->get());
    if (!size) return size.error();
    buffered_reader file(descriptor->get(), *size);
    std::int32_t longest = 0;  // of all pieces: not needed
    if (file.left() < sizeof longest)
      return failure{errc::truncated, "ctlm: this tokenizer file is cut off: it has {had} bytes", 0, sizeof longest,
                     *size};
    if (const auto r = file.read(&longest, sizeof longest); !r) return r.error();
    llama2c_tokenizer t;
    std::size_t found = 0;
    std::uint64_t behind = 0;  // bytes after the tokens that are wanted
    for (; file.left() > 0; ++found) {
      if (found == vocab) behind = file.left();
      auto e = read_entry(file, found);
      if (!e && found >= vocab)
        return failure{errc::wrong_model,
                       "ctlm: this tokenizer file has {had} bytes behind the {needed} tokens of the model's vocabulary",
                       vocab, vocab, static_cast<std::size_t>(behind)};
      if (!e) return e.error();
      if (found < vocab) t.add(*e);
    }
    if (found != vocab)
      return failure{errc::wrong_model,
                     "ctlm: this tokenizer file has {had} tokens; the model's vocabulary is {needed}", found, vocab,
                     found};
    t.has_bytes_ = t.spells_bytes();
    return result<llama2c_tokenizer>(static_cast<llama2c_tokenizer&&>(t));
  }

  void add(const entry& e) {
    index_.try_emplace(e.bytes, static_cast<token>(pieces_.size()));
    pieces_.push_back(e.bytes);
    scores_.push_back(e.score);
    if (e.bytes.size() > longest_) longest_ = e.bytes.size();
  }
  bool spells_bytes() const {
    for (int byte = 0; byte < 256; ++byte)
      if (byte_of(text_of(first_byte + byte)) != byte) return false;
    return true;
  }

  static int hexadecimal(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }
  void push_piece(std::vector<token>& tokens, const std::string& s) const {
    if (const auto found = index_.find(s); found != index_.end()) {
      tokens.push_back(found->second);
    } else if (has_bytes_) {
      for (char c : s) tokens.push_back(first_byte + static_cast<unsigned char>(c));
    } else {
      tokens.push_back(unknown);
    }
  }
  const std::string& text_of(token t) const { return pieces_[static_cast<std::size_t>(t)]; }
  void merge(std::vector<token>& tokens) const {
    merge_pairs(tokens, [&](token left, token right) {
      if (text_of(left).size() + text_of(right).size() > longest_) return pair_merge{};
      const auto found = index_.find(text_of(left) + text_of(right));
      if (found == index_.end()) return pair_merge{};
      return pair_merge{found->second, static_cast<double>(scores_[static_cast<std::size_t>(found->second)])};
    });
  }

  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::unordered_map<std::string, token> index_;
  std::size_t longest_ = 0;  // in bytes
  bool has_bytes_ = false;   // are tokens 3 to 258 the bytes?
};

}}  // namespace ctlm
