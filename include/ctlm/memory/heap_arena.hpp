// SPDX-License-Identifier: MIT
// ctlm: an arena from the heap: one allocation when it is made, none afterwards.
#pragma once

#include "arena.hpp"

#include <cstdlib>
#if CTLM_LARGE_PAGES
#include <sys/mman.h>
#endif

namespace ctlm { inline namespace CTLM_ABI {

class heap_arena {
 public:
  /// Pages that are never touched are never paid for: the system hands out zeroed memory lazily.
  /// Throws ctlm::error, or calls ctlm::fatal, if it has none.
  explicit heap_arena(std::size_t bytes) : memory_(zeroed_memory(bytes)), size_(bytes) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_);
    base_ = static_cast<std::byte*>(memory_) + (round_up(address, memory_alignment) - address);
    ask_for_large_pages();
  }
  heap_arena(heap_arena&& other) noexcept
      : memory_(other.memory_), base_(other.base_), size_(other.size_), use_(other.use_) {
    other.memory_ = nullptr;  // what was moved from is an arena of no bytes
    other.base_ = nullptr;
    other.size_ = 0;
    other.use_ = arena_use();
  }
  heap_arena(const heap_arena&) = delete;
  heap_arena& operator=(const heap_arena&) = delete;
  heap_arena& operator=(heap_arena&&) = delete;
  ~heap_arena() { std::free(memory_); }

  template <class T>
  T* allocate(std::size_t n) {
    return use_.take<T>(base_, size_, n);
  }
  std::size_t mark() const { return use_.bytes(); }
  void rewind(std::size_t m) { use_.rewind(size_, m); }
  std::size_t remaining() const { return size_ - use_.bytes(); }
  std::size_t used() const { return use_.bytes(); }

 private:
  static void* zeroed_memory(std::size_t bytes) {
    const bool possible = bytes <= too_many_bytes / 2 - memory_alignment;  // no object is larger
    void* const memory = possible ? std::calloc(bytes + memory_alignment, 1) : nullptr;
    check(memory != nullptr,
          {errc::out_of_memory, "ctlm: the system has no memory for an arena of {needed} bytes", bytes, bytes});
    return memory;
  }

  /// Matrices are walked along rows and columns: with pages of 4 KiB a large one has more of them than the processor
  /// can keep the addresses of.
  void ask_for_large_pages() {
#if CTLM_LARGE_PAGES
    constexpr std::size_t page = 4096, worthwhile = std::size_t{4} << 20;
    if (size_ < worthwhile) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(base_), first = round_up(begin, page);
    const auto end = (begin + size_) / page * page;
    (void)::madvise(base_ + (first - begin), end - first, MADV_HUGEPAGE);  // advice, which a system may ignore
#endif
  }

  void* memory_;
  std::byte* base_ = nullptr;
  std::size_t size_;
  arena_use use_{};
};

}}  // namespace ctlm
