// SPDX-License-Identifier: MIT
// ctlm: the head of a GGUF file from front to back, never beyond its end.
#pragma once

#include "gguf_names.hpp"
#include "little_endian.hpp"
#include "remember.hpp"

#include "../core/result.hpp"

#include <limits>

namespace ctlm { inline namespace CTLM_ABI { namespace gguf_detail {

/// For messages: what does not fit is as large as can be said.
inline std::size_t sayable(std::uint64_t n) {
  return n < std::numeric_limits<std::size_t>::max() ? static_cast<std::size_t>(n)
                                                     : std::numeric_limits<std::size_t>::max();
}

class cursor {
 public:
  explicit cursor(span<const std::byte> file) : file_(file) {}

  std::size_t offset() const { return offset_; }
  std::size_t left() const { return file_.size() - offset_; }

  template <class T>
  result<T> number() {
    const auto p = take(sizeof(T));
    if (!p) return p.error();
    return load_little_endian<T>(*p);
  }
  /// A length of 64 bits, then so many bytes.
  result<span<const char>> text() {
    const auto n = number<std::uint64_t>();
    if (!n) return n.error();
    const auto p = take(*n);
    if (!p) return p.error();
    return span<const char>(reinterpret_cast<const char*>(*p), static_cast<std::size_t>(*n));
  }
  /// The next n bytes.
  result<const std::byte*> take(std::uint64_t n) {
    if (n > left())
      return failure{errc::truncated,
                     "ctlm: this GGUF file is cut off: {needed} bytes are expected at byte {where}, {had} are there",
                     offset_, sayable(n), left()};
    const std::byte* const p = file_.data() + offset_;
    offset_ += static_cast<std::size_t>(n);
    return p;
  }

  /// A key or a tensor's name. Where it lies is reported with what is wrong with it.
  result<span<const char>> name() {
    const std::size_t at = offset_ + sizeof(std::uint64_t);
    const auto s = text();
    if (!s) return s;
    if (s->empty()) return failure{errc::corrupt, "ctlm: a name in this GGUF file is empty (at byte {where})", at};
    if (s->size() > longest_key)
      return failure{errc::corrupt,
                     "ctlm: a name in this GGUF file is {had} bytes long (at byte {where}); {needed} are allowed", at,
                     longest_key, s->size()};
    if (!is_utf8(*s))
      return failure{errc::corrupt, "ctlm: the name {name} in this GGUF file is not UTF-8 (at byte {where})", at, 0, 0,
                     remember(*s)};
    if (!is_printable(*s))
      return failure{errc::corrupt,
                     "ctlm: the name {name} in this GGUF file holds a control character (at byte {where})",
                     at,
                     0,
                     0,
                     remember(*s)};
    return s;
  }

 private:
  span<const std::byte> file_;
  std::size_t offset_ = 0;
};

}  // namespace gguf_detail

}}  // namespace ctlm
