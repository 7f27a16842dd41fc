// SPDX-License-Identifier: MIT
// ctlm: whole characters out of bytes that come in pieces.
#pragma once

#include "../core/utf8.hpp"

#include <string>
#include <string_view>

namespace ctlm { inline namespace CTLM_ABI {

/// Bytes in, whole characters of UTF-8 out: what is cut off waits for its rest, and what can be part of no character
/// becomes U+FFFD, one for each longest piece that some character begins with (as Unicode recommends; Python and Rust
/// do the same). However the bytes come in pieces, what comes out is the same.
class utf8_repair {
 public:
  /// Appends to `out` the characters that are whole now.
  void push(std::string_view bytes, std::string& out) {
    if (held_.empty()) return take(bytes, out);
    held_.append(bytes);
    const std::string all = static_cast<std::string&&>(held_);
    held_.clear();
    take(all, out);
  }
  /// No more bytes come: what still waits becomes U+FFFD.
  void finish(std::string& out) {
    if (!held_.empty()) out += replacement;
    held_.clear();
  }
  /// Bytes that wait for more, 3 at most.
  std::size_t waiting() const { return held_.size(); }

 private:
  static constexpr const char* replacement = "\xEF\xBF\xBD";

  void take(std::string_view bytes, std::string& out) {
    const span<const char> text(bytes.data(), bytes.size());
    std::size_t kept = 0, i = 0;
    while (i < bytes.size()) {
      const std::size_t n = static_cast<unsigned char>(bytes[i]) < 0x80 ? 1 : utf8_length(text, i);
      if (n > 0) {
        i += n;
        continue;
      }
      out.append(bytes, kept, i - kept);
      const std::size_t begun = prefix_at(bytes, i);
      if (i + begun == bytes.size() && begun > 0) {
        held_.assign(bytes, i, begun);
        return;
      }
      out += replacement;
      i += begun > 0 ? begun : 1;
      kept = i;
    }
    out.append(bytes, kept, i - kept);
  }
  // Bytes from `at` on with which a longer character begins; 0 if there are none.
  static std::size_t prefix_at(std::string_view bytes, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
    const unsigned first = byte(0);
    if (first < 0xC2 || first > 0xF4) return 0;
    const std::size_t wanted = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    std::size_t n = 1;
    for (; n < wanted && at + n < bytes.size(); ++n) {
      const unsigned low = n > 1 ? 0x80 : first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
      const unsigned high = n > 1 ? 0xBF : first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
      if (byte(n) < low || byte(n) > high) break;
    }
    return n;
  }

  std::string held_;
};

}}  // namespace ctlm
