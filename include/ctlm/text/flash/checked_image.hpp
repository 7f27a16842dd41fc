// SPDX-License-Identifier: MIT
// ctlm: whether an image of a tokenizer is one: behind this check, no number of it leads out of a table.
#pragma once

#include "../../core/hash.hpp"
#include "image.hpp"

#include <initializer_list>

namespace ctlm { inline namespace CTLM_ABI { namespace flash_detail {

// A character of up to four bytes as a number: the first byte highest. None but the first is zero.
constexpr std::uint32_t key_of(span<const char> c) {
  std::uint32_t key = 0;
  for (std::size_t i = 0; i < 4; ++i) key = key << 8 | (i < c.size() ? static_cast<unsigned char>(c[i]) : 0u);
  return key;
}
// The order of texts: below 0, 0, or above.
template <class A, class B>
constexpr int compare(span<A> a, span<B> b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const int x = static_cast<int>(static_cast<unsigned char>(a[i])),
              y = static_cast<int>(static_cast<unsigned char>(b[i]));
    if (x != y) return x - y;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

class image_check {
 public:
  constexpr explicit image_check(const reader& r) : r_(r), l_(layout_of(r)) {}

  // Nothing, or what is wrong: the first table that is.
  constexpr const char* problem() const {
    if (!places_ascend()) return "the places of the tokens";
    if (!letters_are_tokens()) return "the letters";
    if (!merges_ascend()) return "the merges";
    if (!runs_ascend()) return "the runs of characters";
    if (!added_are_there()) return "the added tokens";
    if (!words_ascend()) return "the words";
    return nullptr;
  }

 private:
  constexpr std::uint32_t count(field f) const { return r_.four(f); }
  constexpr std::uint32_t number(std::uint64_t table, std::size_t i) const {
    const auto at = static_cast<std::size_t>(table);
    return count(f_width) == 2 ? r_.two(at + 2 * i) : r_.four(at + 4 * i);
  }
  constexpr std::uint32_t four(std::uint64_t table, std::size_t i) const {
    return r_.four(static_cast<std::size_t>(table) + 4 * i);
  }
  constexpr bool is_token(std::uint32_t t) const { return t < count(f_tokens); }

  constexpr bool places_ascend() const {
    std::uint32_t before = 0;
    for (std::size_t i = 0; i <= count(f_tokens); ++i) {
      const std::uint32_t place = four(l_.places, i) & place_bits;
      if (place < before || place > count(f_text)) return false;
      before = place;
    }
    return before <= count(f_text);
  }
  constexpr bool letters_are_tokens() const {
    const bool pieces = count(f_kind) == static_cast<std::uint32_t>(flash_kind::pieces);
    if (pieces && (count(f_flags) & has_bytes) != 0 && count(f_tokens) < 259) return false;
    if (count(f_tokens) == 0 || (!pieces && count(f_letters) != 256)) return false;
    for (std::size_t i = 0; i < count(f_letters); ++i) {
      const std::uint32_t letter = number(l_.letters, i);
      if (!is_token(letter) && (pieces || letter != no_letter(count(f_width)))) return false;
      if (pieces && i > 0 && four(l_.keys, i) <= four(l_.keys, i - 1)) return false;
    }
    return true;
  }
  constexpr bool merges_ascend() const {
    for (std::size_t i = 0; i < count(f_merges); ++i) {
      for (const std::size_t part : {std::size_t{0}, std::size_t{1}, std::size_t{3}})
        if (!is_token(number(l_.merges, 4 * i + part))) return false;
      if (number(l_.merges, 4 * i + 2) == ~std::uint32_t{0}) return false;
      if (i == 0) continue;
      const std::uint32_t left = number(l_.merges, 4 * i), before = number(l_.merges, 4 * i - 4);
      if (left < before || (left == before && number(l_.merges, 4 * i + 1) <= number(l_.merges, 4 * i - 3)))
        return false;
    }
    return true;
  }
  constexpr bool runs_ascend() const {
    for (std::size_t i = 1; i < count(f_runs); ++i)
      if (four(l_.runs, i) / 32 <= four(l_.runs, i - 1) / 32) return false;
    return true;
  }
  constexpr bool added_are_there() const {
    for (std::size_t i = 0; i < count(f_added); ++i) {
      const std::uint64_t place = four(l_.added, 3 * i), length = four(l_.added, 3 * i + 1);
      if (length == 0 || place + length > count(f_text) || !is_token(four(l_.added, 3 * i + 2))) return false;
    }
    for (std::size_t i = 0; i < count(f_before); ++i)
      if (!is_token(four(l_.before, i))) return false;
    for (std::size_t i = 0; i < count(f_behind); ++i)
      if (!is_token(four(l_.behind, i))) return false;
    return true;
  }
  constexpr span<const std::byte> text_of(std::uint32_t t) const {
    const std::size_t begin = four(l_.places, t) & place_bits, end = four(l_.places, t + 1) & place_bits;
    return {r_.at(static_cast<std::size_t>(l_.text) + begin), end - begin};
  }
  constexpr bool words_ascend() const {
    for (std::size_t i = 0; i < count(f_words); ++i) {
      if (!is_token(number(l_.words, i))) return false;
      if (i > 0 && compare(text_of(number(l_.words, i - 1)), text_of(number(l_.words, i))) >= 0) return false;
    }
    return true;
  }

  reader r_;
  layout l_;
};

constexpr failure damaged(const char* what, std::size_t where = 0, std::size_t needed = 0, std::size_t had = 0) {
  return {errc::corrupt, what, where, needed, had};
}

constexpr result<void> check_header(const reader& r) {
  if (r.size() < header_bytes)
    return failure{errc::truncated,
                   "ctlm: the image of a tokenizer is cut off: its header has {needed} bytes, and there are {had}", 0,
                   header_bytes, r.size()};
  for (std::size_t i = 0; i < sizeof signature; ++i)
    if (r.byte(i) != static_cast<unsigned char>(signature[i]))
      return damaged("ctlm: this is not the image of a tokenizer (its first bytes differ)");
  if (r.four(f_version) != version)
    return failure{errc::unsupported,
                   "ctlm: the image of a tokenizer was packed by another version of ctlm (layout {had}, this is "
                   "{needed})",
                   0, version, r.four(f_version)};
  const std::uint32_t kind = r.four(f_kind), width = r.four(f_width);
  bool known = (kind == 1 || kind == 2) && (width == 2 || width == 4) && r.four(f_flags) < 4;
  bool ended = false;
  for (std::size_t i = 0; i < most_steps; ++i) {
    const std::uint32_t step = r.four(f_steps + 4 * i);
    known = known && step <= static_cast<std::uint32_t>(flash_step::number_runs) && !(ended && step != 0);
    ended = ended || step == 0;
  }
  for (std::size_t i = f_zeros; i < header_bytes; i += 4) known = known && r.four(i) == 0;
  if (!known) return damaged("ctlm: the image of a tokenizer is damaged: its header makes no sense");
  return {};
}

constexpr result<void> check_image(const reader& r) {
  if (const auto header = check_header(r); !header) return header;
  const layout l = layout_of(r);
  if (l.end != std::uint64_t{header_bytes} + r.four(f_content))
    return damaged("ctlm: the image of a tokenizer is damaged: its tables do not have the size that it states");
  if (l.end != r.size())
    return failure{l.end > r.size() ? errc::truncated : errc::corrupt,
                   "ctlm: the image of a tokenizer has {needed} bytes, and there are {had}", 0,
                   static_cast<std::size_t>(l.end), r.size()};
  if (checksum_of<checksum>(r) != r.eight(checksum_at))
    return damaged("ctlm: the image of a tokenizer is damaged: its checksum does not match");
  if (const char* const table = image_check(r).problem())
    return failure{errc::corrupt, "ctlm: the image of a tokenizer contradicts itself: {name}", 0, 0, 0, table};
  return {};
}

}}}  // namespace ctlm::flash_detail
