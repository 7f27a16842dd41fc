// SPDX-License-Identifier: MIT
// ctlm: the image of a tokenizer, as it lies in flash. text/pack_tokenizer.hpp writes them.
//
//   offset  bytes
//   0       8       "CTLMTOK" and a zero
//   8       4       version of this layout
//   12      4       kind: 1 bytes, 2 pieces (flash_kind)
//   16      4       tokens
//   20      4       width: bytes of a token's number in the tables, 2 or 4
//   24      4       flags: bit 0, a word that is a token is taken whole; bit 1, tokens 3 to 258 are the bytes
//   28      16      up to four steps that cut words (flash_step), then zeros
//   44      7 * 4   letters, merges, runs, added tokens, tokens before a text, tokens behind it, bytes of text
//   72      4       bytes behind the header
//   76      4       words by their text: 0, or as many as there are tokens that can be found so
//   80      8       checksum of everything but itself
//   88      40      zeros
//   128     ...     the tables, each from a multiple of 4 on:
//                   tokens + 1 places in the text, of 4 bytes: 30 bits, bit 30 special, bit 31 a byte
//                   pieces: for each letter its bytes (up to four, the first one highest), of 4 bytes, ascending
//                   letters: the token of each, of `width` bytes. Kind bytes: 256 of them, all bits set for none
//                   merges: left, right, rank, made, each of `width` bytes; ascending in (left, right)
//                   runs of characters of one category from U+0080 on: 4 bytes, 32 times the first one and its category
//                   added tokens: place in the text, length, token, each of 4 bytes
//                   tokens before, tokens behind, of 4 bytes
//                   words by their text: tokens of `width` bytes, in the order of their bytes
//                   the bytes of the tokens, and zeros up to a multiple of 8
// Numbers are little-endian.
#pragma once

#include "../../core/result.hpp"
#include "../../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What the letters of a tokenizer in flash are.
enum class flash_kind : std::uint32_t {
  bytes = 1,   ///< bytes; words are cut by patterns (tokenizer.json with ByteLevel, bpe)
  pieces = 2,  ///< characters and, for those that are not known, bytes; a text is one word (llama2.c)
};

/// A step that cuts words, by the pattern that it scans for.
enum class flash_step : std::uint32_t {
  none = 0,           ///< the end of the list
  gpt2 = 1,           ///< GPT-2
  llama3 = 2,         ///< Llama 3
  qwen2 = 3,          ///< Qwen 2
  o200k = 4,          ///< o200k
  single_digits = 5,  ///< each \p{N} apart
  three_digits = 6,   ///< up to three \p{N} apart
  own_words = 7,      ///< the words of bpe
  numbers = 8,        ///< Digits: each number apart
  number_runs = 9,    ///< Digits: runs of numbers apart
};

namespace flash_detail {

inline constexpr char signature[8] = {'C', 'T', 'L', 'M', 'T', 'O', 'K', '\0'};
inline constexpr std::uint32_t version = 1, place_bits = 0x3FFFFFFF, is_special = 1u << 30, is_byte = 1u << 31,
                               takes_whole_words = 1, has_bytes = 2;
inline constexpr std::size_t header_bytes = 128, checksum_at = 80, most_steps = 4;

// The header's numbers, by their offsets.
enum field : std::size_t {
  f_version = 8,
  f_kind = 12,
  f_tokens = 16,
  f_width = 20,
  f_flags = 24,
  f_steps = 28,
  f_letters = 44,
  f_merges = 48,
  f_runs = 52,
  f_added = 56,
  f_before = 60,
  f_behind = 64,
  f_text = 68,
  f_content = 72,
  f_words = 76,
  f_zeros = 88
};

// Instead of the token of a byte that is left out.
constexpr std::uint32_t no_letter(std::uint32_t width) { return width == 2 ? 0xFFFF : ~std::uint32_t{0}; }

// Where the tables lie.
struct layout {
  std::uint64_t places, keys, letters, merges, runs, added, before, behind, words, text, end;
};
// Reads numbers; every offset is checked by whoever asks.
class reader {
 public:
  constexpr reader() = default;
  constexpr explicit reader(span<const std::byte> image) : image_(image) {}

  constexpr std::size_t size() const { return image_.size(); }
  constexpr const std::byte* at(std::size_t offset) const { return image_.data() + offset; }
  constexpr std::uint32_t byte(std::size_t offset) const { return static_cast<std::uint32_t>(image_[offset]); }
  constexpr std::uint32_t two(std::size_t offset) const { return byte(offset) | byte(offset + 1) << 8; }
  constexpr std::uint32_t four(std::size_t offset) const { return two(offset) | two(offset + 2) << 16; }
  constexpr std::uint64_t eight(std::size_t offset) const {
    return four(offset) | static_cast<std::uint64_t>(four(offset + 4)) << 32;
  }

 private:
  span<const std::byte> image_;
};

// The sizes that a header states can be no larger than 2^32 each, so that no sum here overflows.
constexpr layout layout_of(const reader& r) {
  const auto number = [&](field f) { return std::uint64_t{r.four(f)}; };
  const auto table = [](std::uint64_t& end, std::uint64_t bytes) {
    const std::uint64_t begin = end;
    end += (bytes + 3) / 4 * 4;
    return begin;
  };
  const std::uint64_t width = number(f_width);
  const bool pieces = r.four(f_kind) == static_cast<std::uint32_t>(flash_kind::pieces);
  layout l{};
  l.end = header_bytes;
  l.places = table(l.end, 4 * (number(f_tokens) + 1));
  l.keys = table(l.end, pieces ? 4 * number(f_letters) : 0);
  l.letters = table(l.end, width * number(f_letters));
  l.merges = table(l.end, 4 * width * number(f_merges));
  l.runs = table(l.end, 4 * number(f_runs));
  l.added = table(l.end, 12 * number(f_added));
  l.before = table(l.end, 4 * number(f_before));
  l.behind = table(l.end, 4 * number(f_behind));
  l.words = table(l.end, width * number(f_words));
  l.text = table(l.end, number(f_text));
  l.end = (l.end + 7) / 8 * 8;
  return l;
}

// Of the whole image but the checksum itself; its size is a multiple of 8.
template <class Sum>
constexpr std::uint64_t checksum_of(const reader& r) {
  Sum sum;
  for (std::size_t i = 0; i + 8 <= r.size(); i += 8)
    if (i != checksum_at) sum.add_word(r.eight(i));
  return sum.value();
}

}  // namespace flash_detail

}}  // namespace ctlm
