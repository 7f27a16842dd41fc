// SPDX-License-Identifier: MIT
// ctlm: an arena in .bss, whose size the compiler checks against what is placed in it.
#pragma once

#include "arena.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// An arena whose memory is part of it: `static constinit ctlm::static_arena<lm::session_bytes> arena;`. What does not
/// fit does not compile.
template <std::size_t bytes>
class static_arena {
 public:
  static constexpr std::size_t capacity = bytes;  ///< its size

  constexpr static_arena() = default;
  static_arena(const static_arena&) = delete;
  static_arena& operator=(const static_arena&) = delete;

  /// n zeroed elements, or nullptr if so many are not left.
  template <class T>
  T* allocate(std::size_t n) {
    return use_.take<T>(storage_, bytes, n);
  }
  /// Bytes in use: where rewind() may go back to.
  std::size_t mark() const { return use_.bytes(); }
  /// Gives back everything allocated since mark() returned m.
  void rewind(std::size_t m) { use_.rewind(bytes, m); }
  /// Bytes that are left.
  std::size_t remaining() const { return bytes - use_.bytes(); }

 private:
  alignas(memory_alignment) std::byte storage_[bytes > 0 ? bytes : 1]{};
  arena_use use_{};
};

}}  // namespace ctlm
