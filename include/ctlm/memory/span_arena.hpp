// SPDX-License-Identifier: MIT
// ctlm: an arena over bytes that somebody else owns.
#pragma once

#include "../core/span.hpp"
#include "arena.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The bytes must outlive everything placed in them and start at a multiple of memory_alignment.
class span_arena {
 public:
  explicit span_arena(span<std::byte> bytes) : base_(bytes.data()), size_(bytes.size()) {
    check(reinterpret_cast<std::uintptr_t>(base_) % memory_alignment == 0, errc::invalid_argument,
          "ctlm: the memory of an arena must be aligned to ctlm::memory_alignment");
  }

  template <class T>
  T* allocate(std::size_t n) {
    const std::size_t bytes = padded_bytes<T>(n);
    if (bytes > remaining()) return nullptr;
    std::byte* p = base_ + used_;
    used_ += bytes;
    for (std::size_t i = 0; i < bytes; ++i) p[i] = std::byte{0};
    return reinterpret_cast<T*>(p);
  }
  std::size_t mark() const { return used_; }
  void rewind(std::size_t m) { used_ = m; }
  std::size_t remaining() const { return size_ - used_; }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t size_;
  std::size_t used_ = 0;
};

}}  // namespace ctlm
