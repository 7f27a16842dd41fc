// SPDX-License-Identifier: MIT
// ctlm: what a tokenizer in flash consists of, and its bytes (flash/image.hpp).
#pragma once

#include "../../core/hash.hpp"
#include "../flash/checked_image.hpp"
#include "../flash/words.hpp"
#include "../unicode.hpp"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI { namespace packing_detail {

using namespace unicode_detail;

struct packed_merge {
  std::uint32_t rank, made;
};
struct tables {
  flash_kind kind = flash_kind::bytes;
  bool has_bytes = false;
  std::vector<flash_step> steps;
  std::vector<std::string> texts;         // of tokens
  std::vector<std::uint32_t> marks;       // is_special and is_byte, of tokens
  std::map<std::uint32_t, token> pieces;  // letters of kind pieces, by their key
  std::vector<token> letters;             // of kind bytes
  std::map<std::pair<token, token>, packed_merge> merges;
  std::vector<std::pair<std::string, token>> added;
  std::vector<token> before, behind;
  std::map<std::string, token> words;  // that are taken whole; ordered as unsigned bytes are
};

// The categories that patterns tell apart.
class kinds_of_steps {
 public:
  explicit kinds_of_steps(const std::vector<flash_step>& steps) {
    for (const flash_step s : steps) {
      any_ |= s != flash_step::own_words;
      cases_ |= s == flash_step::o200k;
      newer_ |= s == flash_step::numbers || s == flash_step::number_runs;
    }
  }
  // 32 times the first character, and the category, of every run from U+0080 on.
  std::vector<std::uint32_t> runs() const {
    std::vector<std::uint32_t> all;
    std::uint32_t last = po;  // what comes before any run
    for (std::uint32_t c = 0x80; any_ && c < no_character; ++c)
      if (const std::uint32_t k = category_of(c); k != last) all.push_back(c * 32 + (last = k));
    return all;
  }

 private:
  std::uint32_t category_of(std::uint32_t c) const {
    const std::uint32_t category = categories()[c];
    const category_set k = category_set{1} << category;
    if (newer_ && is_in(newer_digits, c) && (k & numbers) == 0) return flash_detail::newer_digit;
    if ((k & white) != 0) return category;
    if ((k & numbers) != 0) return nd;
    if ((k & letters) != 0) {
      if (cases_ && (k & set_of(lu, lt)) != 0) return lu;
      return cases_ && (k & set_of(ll)) != 0 ? ll : lo;
    }
    return cases_ && (k & marks) != 0 ? mn : po;
  }
  bool any_ = false, cases_ = false, newer_ = false;
};

class image_writer {
 public:
  explicit image_writer(const tables& t) : t_(t), width_(needs_four_bytes() ? 4 : 2) {}

  result<std::string> write() {
    bytes_.assign(flash_detail::header_bytes, '\0');
    std::string text;
    write_places(text);
    if (text.size() >= flash_detail::place_bits)
      return failure{errc::unsupported,
                     "ctlm: the tokens of this tokenizer have {had} bytes; an image has at most {needed}", 0,
                     flash_detail::place_bits - 1, text.size()};
    write_letters();
    write_merges();
    const auto runs = kinds_of_steps(t_.steps).runs();
    for (const std::uint32_t r : runs) put(r, 4);
    write_added(text);
    for (const auto* list : {&t_.before, &t_.behind})
      for (const token id : *list) put(id, 4);
    for (const auto& [word, id] : t_.words) put(id, width_);
    align(4);
    bytes_.append(text);
    align(8);
    write_header(runs.size(), text.size());
    return bytes_;
  }

 private:
  bool needs_four_bytes() const {
    bool large = t_.texts.size() > 65535;
    for (const auto& [pair, m] : t_.merges) large |= m.rank >= 65535;
    return large;
  }
  template <class N>
  void put(N number, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
      bytes_ += static_cast<char>(static_cast<unsigned char>(static_cast<std::uint64_t>(number) >> (8 * i)));
  }
  void align(std::size_t n) { bytes_.resize(round_up(bytes_.size(), n), '\0'); }
  template <class N>
  void set(std::size_t at, N number, std::size_t bytes) {
    const std::size_t end = bytes_.size();
    put(number, bytes);
    bytes_.replace(at, bytes, bytes_.substr(end));
    bytes_.resize(end);
  }

  void write_places(std::string& text) {
    for (std::size_t i = 0; i < t_.texts.size(); ++i) {
      put(text.size() | t_.marks[i], 4);
      text.append(t_.texts[i]);
    }
    put(text.size(), 4);
  }
  void write_letters() {
    for (const auto& [key, id] : t_.pieces) put(key, 4);
    for (const auto& [key, id] : t_.pieces) put(id, width_);
    for (const token id : t_.letters) put(id, width_);
    align(4);
  }
  void write_merges() {
    for (const auto& [pair, m] : t_.merges) {
      put(pair.first, width_);
      put(pair.second, width_);
      put(m.rank, width_);
      put(m.made, width_);
    }
  }
  // Their texts are those of tokens, if they are spelt as they are decoded.
  void write_added(std::string& text) {
    for (const auto& [content, id] : t_.added) {
      const std::size_t found = text.find(content);
      const std::size_t place = found == std::string::npos ? text.size() : found;
      if (found == std::string::npos) text.append(content);
      put(place, 4);
      put(content.size(), 4);
      put(id, 4);
    }
  }
  void write_header(std::size_t runs, std::size_t text) {
    using namespace flash_detail;
    bytes_.replace(0, sizeof signature, signature, sizeof signature);
    const bool pieces = t_.kind == flash_kind::pieces;
    const std::uint32_t flags =
        (t_.words.empty() ? 0 : takes_whole_words) | (t_.has_bytes ? flash_detail::has_bytes : 0);
    for (const auto& [field, number] : {std::pair<std::size_t, std::size_t>(f_version, version),
                                        {f_kind, static_cast<std::size_t>(t_.kind)},
                                        {f_tokens, t_.texts.size()},
                                        {f_width, width_},
                                        {f_flags, flags},
                                        {f_letters, pieces ? t_.pieces.size() : t_.letters.size()},
                                        {f_merges, t_.merges.size()},
                                        {f_runs, runs},
                                        {f_added, t_.added.size()},
                                        {f_before, t_.before.size()},
                                        {f_behind, t_.behind.size()},
                                        {f_text, text},
                                        {f_content, bytes_.size() - header_bytes},
                                        {f_words, t_.words.size()}})
      set(field, number, 4);
    for (std::size_t i = 0; i < t_.steps.size(); ++i) set(f_steps + 4 * i, static_cast<std::size_t>(t_.steps[i]), 4);
    const reader r(span<const std::byte>(reinterpret_cast<const std::byte*>(bytes_.data()), bytes_.size()));
    set(checksum_at, checksum_of<checksum>(r), 8);
  }

  const tables& t_;
  std::size_t width_;
  std::string bytes_;
};

}}}  // namespace ctlm::packing_detail
