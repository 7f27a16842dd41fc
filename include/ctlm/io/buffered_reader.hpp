// SPDX-License-Identifier: MIT
// ctlm: a file read once from front to back through a small buffer, so that its size costs no memory.
#pragma once

#include "file.hpp"

#include <cstring>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// Reads the next `size` bytes of an open file, the first of which lies at `offset`.
class buffered_reader {
 public:
  /// The descriptor must stay open for as long as this reads. Takes 64 KiB of memory for its buffer.
  buffered_reader(int descriptor, std::uint64_t size, std::size_t offset = 0)
      : descriptor_(descriptor), unread_(size), offset_(offset), buffer_(buffer_bytes) {}

  /// Bytes that have not been handed out yet.
  std::uint64_t left() const { return unread_ + (filled_ - used_); }
  /// Where in the file the next byte lies.
  std::size_t offset() const { return offset_ - (filled_ - used_); }

  /// The next n bytes. More than left() are errc::truncated, with {needed} and {had}.
  result<void> read(void* to, std::size_t n) {
    if (n > left())
      return failure{errc::truncated,
                     "ctlm: the file is cut off: {needed} bytes are missing at byte {where}, it has {had}", offset(), n,
                     static_cast<std::size_t>(left())};
    auto* p = static_cast<char*>(to);
    while (n > 0) {
      if (used_ == filled_)
        if (const auto r = fill(); !r) return r;
      const std::size_t part = n < filled_ - used_ ? n : filled_ - used_;
      std::memcpy(p, buffer_.data() + used_, part);
      used_ += part;
      p += part;
      n -= part;
    }
    return {};
  }

  /// Passes over n bytes, at most left().
  result<void> skip(std::uint64_t n) {
    while (n > 0 && left() > 0) {
      if (used_ == filled_)
        if (const auto r = fill(); !r) return r;
      const std::size_t part = n < filled_ - used_ ? static_cast<std::size_t>(n) : filled_ - used_;
      used_ += part;
      n -= part;
    }
    return {};
  }

 private:
  static constexpr std::size_t buffer_bytes = std::size_t{1} << 16;

  result<void> fill() {
    const std::size_t n = unread_ < buffer_.size() ? static_cast<std::size_t>(unread_) : buffer_.size();
    used_ = filled_ = 0;
    if (const auto r = read_exactly(descriptor_, buffer_.data(), n, offset_); !r) return r;
    filled_ = n;
    unread_ -= n;
    offset_ += n;
    return {};
  }

  int descriptor_;
  std::uint64_t unread_;  // not in the buffer yet
  std::size_t offset_;    // of the file's first byte that is not in the buffer yet
  std::vector<char> buffer_;
  std::size_t used_ = 0, filled_ = 0;
};

}}  // namespace ctlm
