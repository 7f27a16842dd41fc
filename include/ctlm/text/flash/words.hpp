// SPDX-License-Identifier: MIT
// ctlm: cuts a text into words by the steps of a tokenizer in flash, without memory: each step has one place in it.
#pragma once

#include "../bpe_words.hpp"
#include "../pattern/digits.hpp"
#include "../pattern/gpt2.hpp"
#include "../pattern/llama3.hpp"
#include "../pattern/o200k.hpp"
#include "image.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace flash_detail {

using namespace unicode_detail;

inline constexpr std::uint32_t newer_digit = cs;  // what Digits cuts and patterns do not: a category that no text has

// The kinds of characters: of ASCII as code, of others in the image's runs.
struct image_kinds {
  reader image;
  std::size_t runs, count;

  constexpr category_set operator()(std::uint32_t c) const {
    if (c < 0x80) {
      if (is_white_space(c)) return white;
      if (c >= '0' && c <= '9') return set_of(nd);
      if (c >= 'a' && c <= 'z') return set_of(ll);
      return c >= 'A' && c <= 'Z' ? set_of(lu) : set_of(po);
    }
    if (c >= no_character) return broken;
    std::size_t low = 0, high = count;  // the first run that begins behind c
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      image.four(runs + 4 * middle) / 32 <= c ? low = middle + 1 : high = middle;
    }
    return low == 0 ? set_of(po) : category_set{1} << image.four(runs + 4 * (low - 1)) % 32;
  }
};
using text_reader = pattern_detail::basic_reader<image_kinds>;

struct numbers_apart {
  std::size_t most;
  constexpr std::size_t end_of(const text_reader& t, std::size_t i) const {
    return t.run(i, numbers | set_of(newer_digit), most);
  }
};

// Where the piece that begins at i ends: a match, or what lies before the next one.
template <class Pattern>
constexpr std::size_t end_of_piece(const Pattern& pattern, const text_reader& t, std::size_t i) {
  if (const std::size_t end = pattern.end_of(t, i); end > i) return end;
  for (std::size_t length = 0; i < t.size() && pattern.end_of(t, i) == i; i += length) (void)t.kind(i, length);
  return i;
}
constexpr std::size_t end_of_step(flash_step step, span<const char> text, std::size_t i, const image_kinds& kinds) {
  const text_reader t(text, kinds);
  switch (step) {
    case flash_step::gpt2:
      return end_of_piece(pattern_detail::gpt2(), t, i);
    case flash_step::llama3:
      return end_of_piece(pattern_detail::llama3(), t, i);
    case flash_step::qwen2:
      return end_of_piece(pattern_detail::qwen2(), t, i);
    case flash_step::o200k:
      return end_of_piece(pattern_detail::o200k(), t, i);
    case flash_step::single_digits:
      return end_of_piece(pattern_detail::single_digits(), t, i);
    case flash_step::three_digits:
      return end_of_piece(pattern_detail::three_digits(), t, i);
    case flash_step::numbers:
      return end_of_piece(numbers_apart{1}, t, i);
    case flash_step::number_runs:
      return end_of_piece(numbers_apart{~std::size_t{0}}, t, i);
    case flash_step::own_words:
      return bpe_detail::end_of_word(text, i);
    case flash_step::none:
      break;
  }
  return text.size();
}

// f(begin, end) -> bool for each word of a text, until it says false.
template <class F>
constexpr void for_each_word(span<const char> text, const flash_step (&steps)[most_steps], const image_kinds& kinds,
                             F f) {
  std::size_t ends[most_steps + 1] = {text.size()}, count = 0;  // where the piece of each step ends
  while (count < most_steps && steps[count] != flash_step::none) ++count;
  for (std::size_t i = 0; i < text.size();) {
    for (std::size_t step = 0; step < count; ++step)
      if (ends[step + 1] <= i) ends[step + 1] = end_of_step(steps[step], text.first(ends[step]), i, kinds);
    if (!f(i, ends[count])) return;
    i = ends[count];
  }
}

}}}  // namespace ctlm::flash_detail
