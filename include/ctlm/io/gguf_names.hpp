// SPDX-License-Identifier: MIT
// ctlm: keys and names of tensors in GGUF files: what they may be, and how one is found among many.
#pragma once

#include "../core/span.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI { namespace gguf_detail {

inline constexpr std::size_t longest_key = 65535;

inline std::string_view view_of(span<const char> s) { return {s.data(), s.size()}; }

/// Strictly: no character in more bytes than it needs, no halves of pairs, none above U+10FFFF.
inline bool is_utf8(span<const char> s) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(s[i])); };
  for (std::size_t i = 0; i < s.size();) {
    const std::uint32_t lead = byte(i);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (n == 0 || n > s.size() - i) return false;
    std::uint32_t character = n == 1 ? lead : lead & (0x7Fu >> n);
    for (std::size_t k = 1; k < n; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
      character = character << 6 | (byte(i + k) & 0x3F);
    }
    const std::uint32_t least = n == 3 ? 0x800 : n == 4 ? 0x10000 : 0;
    if (character < least || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF)) return false;
    i += n;
  }
  return true;
}

/// Is it text alone, without zeros, line ends and the like?
inline bool is_printable(span<const char> s) {
  for (const char c : s)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  return true;
}

/// Items with names, in the order of these.
class name_index {
 public:
  /// The index of the second item with a name that another has, or count if all names differ.
  template <class NameOf>
  std::size_t build(std::size_t count, NameOf name_of) {
    order_.clear();
    order_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) order_.push_back(i);
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      const int order = name_of(a).compare(name_of(b));
      return order != 0 ? order < 0 : a < b;
    });
    for (std::size_t i = 1; i < count; ++i)
      if (name_of(order_[i - 1]) == name_of(order_[i])) return order_[i];
    return count;
  }
  /// The item of this name, or the number of items.
  template <class NameOf>
  std::size_t find(std::string_view name, NameOf name_of) const {
    const auto at = std::lower_bound(order_.begin(), order_.end(), name,
                                     [&](std::size_t i, std::string_view n) { return name_of(i) < n; });
    return at != order_.end() && name_of(*at) == name ? *at : order_.size();
  }

 private:
  std::vector<std::size_t> order_;
};

}  // namespace gguf_detail

}}  // namespace ctlm
