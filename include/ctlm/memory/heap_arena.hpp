// SPDX-License-Identifier: MIT
// ctlm: an arena from the heap: one allocation when it is made, none afterwards.
#pragma once

#include "arena.hpp"

#include <cstdlib>
#if CTLM_LARGE_PAGES
#include <sys/mman.h>
#endif

namespace ctlm { inline namespace CTLM_ABI {

/// An arena of memory that it takes from the heap when it is made, and gives back when it is destroyed.
class heap_arena {
 public:
  /// Asks the system for zeroed memory. It gives a page only when the page is first touched: what is never touched
  /// takes no memory. Throws ctlm::error, or calls ctlm::fatal, if the system has no memory for so many bytes.
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
  static void* zeroed_memory(std::size_t bytes) {
    const bool possible = bytes <= too_many_bytes / 2 - memory_alignment;  // no object is larger
    void* const memory = possible ? std::calloc(bytes + memory_alignment, 1) : nullptr;
    check(memory != nullptr,
          {errc::out_of_memory, "ctlm: the system has no memory for an arena of {needed} bytes", bytes, bytes});
    return memory;
  }

  /// The processor remembers where only so many pages are. A large matrix has more pages of 4 KiB than that, and
  /// reading it along its columns would look up a page for almost every number. Large pages are few.
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
