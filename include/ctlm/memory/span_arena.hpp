// SPDX-License-Identifier: MIT
// ctlm: an arena over bytes that somebody else owns.
#pragma once

#include "../core/span.hpp"
#include "arena.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// An arena of memory that somebody else owns. The bytes must outlive everything placed in them and start at a multiple
/// of memory_alignment. Throws ctlm::error, or calls ctlm::fatal, if they do not, or if there is only a null pointer to
/// them.
class span_arena {
 public:
  explicit span_arena(span<std::byte> bytes) : base_(bytes.data()), size_(bytes.size()), use_(bytes.size()) {
    const auto address = reinterpret_cast<std::uintptr_t>(base_);
    check(base_ != nullptr || size_ == 0,
          {errc::invalid_argument, "ctlm: an arena of {needed} bytes is given a null pointer", 0, size_, 0});
    check(address % memory_alignment == 0, {errc::invalid_argument,
                                            "ctlm: the memory of an arena must be aligned to ctlm::memory_alignment: "
                                            "to {needed} bytes, and it begins {had} "
                                            "bytes after such a place",
                                            0, memory_alignment, address % memory_alignment});
  }

  /// n zeroed elements, or nullptr if so many are not left.
  template <class T>
  T* allocate(std::size_t n) {
    return use_.take<T>(base_, size_, n);
  }
  /// Bytes in use: where rewind() may go back to.
  std::size_t mark() const { return use_.bytes(); }
  /// Gives back everything allocated since mark() returned m.
  void rewind(std::size_t m) { use_.rewind(size_, m); }
  /// Bytes that are left.
  std::size_t remaining() const { return size_ - use_.bytes(); }
  /// Bytes in use.
  std::size_t used() const { return use_.bytes(); }

 private:
  std::byte* base_;
  std::size_t size_;
  arena_use use_;
};

}}  // namespace ctlm
