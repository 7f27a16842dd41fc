// SPDX-License-Identifier: MIT
// ctlm: a tokenizer that lies in flash: it encodes and decodes without a heap, exceptions or an operating system, in
// memory of a stated size, and while compiling, too.
#pragma once

#include "../core/hash.hpp"
#include "flash/checked_image.hpp"
#include "flash/merging.hpp"
#include "flash/words.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Bytes as an image: of an array that pack_tokenizer wrote as C++, or of any other.
template <std::size_t N>
struct flash_bytes {
  /// Of numbers from 0 to 255.
  constexpr explicit flash_bytes(const unsigned char (&from)[N]) {
    for (std::size_t i = 0; i < N; ++i) bytes[i] = static_cast<std::byte>(from[i]);
  }
  /// The first byte.
  constexpr const std::byte* data() const { return bytes; }
  /// How many there are.
  constexpr std::size_t size() const { return N; }

  alignas(8) std::byte bytes[N]{};  ///< the image
};

/// A view of an image in flash (text/pack_tokenizer.hpp makes them; ctlm_embed_tokenizer links them), which must stay
/// where it is. Its tokens are those of the tokenizer that was packed.
class flash_tokenizer {
 public:
  /// One without tokens.
  constexpr flash_tokenizer() = default;

  /// Looks at all of an image. Errors: errc::truncated; corrupt, where this is no image, its checksum is another one,
  /// or a table contradicts another; unsupported, for a layout of another version.
  static constexpr result<flash_tokenizer> bind(span<const std::byte> image) {
    const flash_detail::reader r(image);
    if (const auto checked = flash_detail::check_image(r); !checked) return checked.error();
    return flash_tokenizer(r);
  }

  /// Number of tokens: all are below.
  constexpr std::size_t vocab() const { return image_.size() == 0 ? 0 : image_.four(flash_detail::f_tokens); }
  /// What its letters are.
  constexpr flash_kind kind() const { return pieces_ ? flash_kind::pieces : flash_kind::bytes; }
  /// Symbols that a workspace needs to encode any text of so many bytes. Of kind bytes, it is enough to have as many
  /// as the longest word has bytes.
  constexpr std::size_t symbols_for(std::size_t bytes) const { return bytes + (pieces_ ? 1 : 0); }

  /// Writes the tokens of a text to `out`, and returns how many; `around`: with the tokens that begin and end a text.
  /// The workspace is used while this runs, and for nothing else: 16 bytes for each byte of the longest word
  /// (flash_workspace), which is the whole text for kind pieces.
  ///
  /// Errors: errc::out_of_memory, where `out` is full or a word does not fit the workspace, with both numbers.
  constexpr result<std::size_t> encode(span<const char> text, span<token> out, span<flash_symbol> work,
                                       bool around = true) const {
    output to{out, 0, {}};
    if (image_.size() == 0) return to.count;
    if (around) write_all(at_.before, flash_detail::f_before, to);
    pieces_ ? encode_pieces(text, work, to) : encode_bytes(text, work, to);
    if (around) write_all(at_.behind, flash_detail::f_behind, to);
    if (to.problem.code == errc::ok && to.count > out.size())
      to.problem = {errc::out_of_memory, "ctlm: a text has {needed} tokens, or more, and there is room for {had}", 0,
                    to.count, out.size()};
    if (to.problem.code != errc::ok) return to.problem;
    return to.count;
  }

  /// The text that `next` adds after `previous`, as it lies in flash: bytes, of which several tokens may make a
  /// character. Empty for special tokens and those that do not exist. `previous` of the first token: any special one,
  /// or -1.
  constexpr span<const std::byte> text_of(token previous, token next) const {
    if (!has(next) || (place_of(next) & flash_detail::is_special) != 0) return {};
    const span<const std::byte> all = bytes_of(next);
    const bool begins = previous == -1 || previous == first_piece;  // the space before a text is no part of it
    const bool strips =
        pieces_ && begins && (place_of(next) & flash_detail::is_byte) == 0 && !all.empty() && all[0] == std::byte{' '};
    return strips ? all.subspan(1) : all;
  }
  /// Whether a token is no part of a text.
  constexpr bool is_special(token t) const { return has(t) && (place_of(t) & flash_detail::is_special) != 0; }

 private:
  static constexpr token first_piece = 1, first_byte = 3;

  struct output {
    span<token> out;
    std::size_t count;
    failure problem;
    constexpr void operator()(std::uint32_t t) {
      if (count < out.size()) out[count] = static_cast<token>(t);
      ++count;
    }
  };

  constexpr explicit flash_tokenizer(const flash_detail::reader& r)
      : image_(r),
        pieces_(r.four(flash_detail::f_kind) == static_cast<std::uint32_t>(flash_kind::pieces)),
        width_(r.four(flash_detail::f_width)) {
    const flash_detail::layout l = flash_detail::layout_of(r);
    const auto at = [](std::uint64_t offset) { return static_cast<std::size_t>(offset); };
    at_ = {at(l.places), at(l.keys),   at(l.letters), at(l.merges), at(l.runs),
           at(l.added),  at(l.before), at(l.behind),  at(l.words),  at(l.text)};
    for (std::size_t i = 0; i < flash_detail::most_steps; ++i)
      steps_[i] = static_cast<flash_step>(r.four(flash_detail::f_steps + 4 * i));
  }

  constexpr bool has(token t) const { return t >= 0 && static_cast<std::size_t>(t) < vocab(); }
  constexpr std::uint32_t place_of(token t) const { return image_.four(at_.places + 4 * static_cast<std::size_t>(t)); }
  constexpr span<const std::byte> bytes_of(token t) const {
    const std::size_t begin = place_of(t) & flash_detail::place_bits, end = place_of(t + 1) & flash_detail::place_bits;
    return {image_.at(at_.text + begin), end - begin};
  }
  constexpr std::uint32_t number(std::size_t table, std::size_t i) const {
    return width_ == 2 ? image_.two(table + 2 * i) : image_.four(table + 4 * i);
  }
  constexpr void write_all(std::size_t table, flash_detail::field count, output& to) const {
    for (std::size_t i = 0; i < image_.four(count); ++i) to(image_.four(table + 4 * i));
  }

  constexpr std::uint32_t merged(std::uint32_t left, std::uint32_t right, std::uint32_t& rank) const {
    std::size_t low = 0, high = image_.four(flash_detail::f_merges);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const std::uint32_t l = number(at_.merges, 4 * middle), r = number(at_.merges, 4 * middle + 1);
      if (l == left && r == right) {
        rank = number(at_.merges, 4 * middle + 2);
        return number(at_.merges, 4 * middle + 3);
      }
      (l != left ? l < left : r < right) ? low = middle + 1 : high = middle;
    }
    return 0;
  }
  constexpr void merge(span<flash_symbol> work, std::size_t n, output& to) const {
    if (n == 0) return;
    const auto find = [this](std::uint32_t l, std::uint32_t r, std::uint32_t& rank) { return merged(l, r, rank); };
    flash_detail::merging<decltype(find)>(work.data(), n, find).run([&to](std::uint32_t t) { to(t); });
  }
  static constexpr failure too_long(std::size_t needed, std::size_t had) {
    return {errc::out_of_memory,
            "ctlm: a word of this text needs a workspace of {needed} symbols, and there are {had} (at most 65535)", 0,
            needed, had};
  }

  // Kind bytes.
  constexpr void encode_bytes(span<const char> text, span<flash_symbol> work, output& to) const {
    std::size_t behind = 0;
    for (std::size_t i = 0; i < text.size() && to.problem.code == errc::ok;) {
      std::size_t length = 0;
      const std::uint32_t t = added_at(text, i, length);
      if (length == 0) {
        ++i;
        continue;
      }
      encode_between(text.subspan(behind, i - behind), work, to);
      to(t);
      behind = i += length;
    }
    if (to.problem.code == errc::ok) encode_between(text.subspan(behind), work, to);
  }
  // The longest added token at i, if its length is not 0.
  constexpr std::uint32_t added_at(span<const char> text, std::size_t i, std::size_t& length) const {
    std::uint32_t found = 0;
    for (std::size_t n = 0; n < image_.four(flash_detail::f_added); ++n) {
      const std::size_t row = at_.added + 12 * n, size = image_.four(row + 4);
      if (size <= length || size > text.size() - i) continue;
      const std::byte* const wanted = image_.at(at_.text + image_.four(row));
      std::size_t same = 0;
      while (same < size && static_cast<std::byte>(text[i + same]) == wanted[same]) ++same;
      if (same < size) continue;
      length = size;
      found = image_.four(row + 8);
    }
    return found;
  }
  constexpr void encode_between(span<const char> text, span<flash_symbol> work, output& to) const {
    const flash_detail::image_kinds kinds{image_, at_.runs, image_.four(flash_detail::f_runs)};
    flash_detail::for_each_word(text, steps_, kinds, [&](std::size_t begin, std::size_t end) {
      encode_word(text.subspan(begin, end - begin), work, to);
      return to.problem.code == errc::ok;
    });
  }
  constexpr void encode_word(span<const char> word, span<flash_symbol> work, output& to) const {
    if (whole_word(word, to)) return;
    if (word.size() > smaller(work.size(), 65535)) {
      to.problem = too_long(word.size(), work.size());
      return;
    }
    std::size_t n = 0;
    for (const char c : word) {
      const std::uint32_t letter = number(at_.letters, static_cast<unsigned char>(c));
      if (letter != flash_detail::no_letter(width_)) work[n++].id = letter;
    }
    merge(work, n, to);
  }
  constexpr bool whole_word(span<const char> word, output& to) const {
    std::size_t low = 0, high = image_.four(flash_detail::f_words);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const std::uint32_t t = number(at_.words, middle);
      const int order = flash_detail::compare(bytes_of(static_cast<token>(t)), word);
      if (order == 0) {
        to(t);
        return true;
      }
      order < 0 ? low = middle + 1 : high = middle;
    }
    return false;
  }

  // Kind pieces: a space, and characters.
  constexpr void encode_pieces(span<const char> text, span<flash_symbol> work, output& to) const {
    if (text.empty()) return;
    if (symbols_for(text.size()) > smaller(work.size(), 65535)) {
      to.problem = too_long(symbols_for(text.size()), work.size());
      return;
    }
    constexpr char space[] = {' '};
    std::size_t n = 0;
    spell(space, work, n);
    for (std::size_t i = 0; i < text.size();) {
      std::size_t length = 1;
      while (i + length < text.size() && length < 4 && (static_cast<unsigned char>(text[i + length]) & 0xC0u) == 0x80u)
        ++length;
      spell(text.subspan(i, length), work, n);
      i += length;
    }
    merge(work, n, to);
  }
  // A character as a letter, as bytes, or as the token of what is not known.
  constexpr void spell(span<const char> c, span<flash_symbol> work, std::size_t& n) const {
    const std::uint32_t key = flash_detail::key_of(c);
    std::size_t low = 0, high = image_.four(flash_detail::f_letters);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const std::uint32_t k = image_.four(at_.keys + 4 * middle);
      if (k == key) {
        work[n++].id = number(at_.letters, middle);
        return;
      }
      k < key ? low = middle + 1 : high = middle;
    }
    if ((image_.four(flash_detail::f_flags) & flash_detail::has_bytes) == 0) {
      work[n++].id = 0;
      return;
    }
    for (const char byte : c) work[n++].id = static_cast<std::uint32_t>(first_byte) + static_cast<unsigned char>(byte);
  }

  struct places {
    std::size_t places, keys, letters, merges, runs, added, before, behind, words, text;
  };
  flash_detail::reader image_;
  places at_{};
  flash_step steps_[flash_detail::most_steps]{};
  bool pieces_ = false;
  std::uint32_t width_ = 2;
};

}}  // namespace ctlm
