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
  explicit heap_arena(std::size_t bytes) : block_(std::calloc(bytes + memory_alignment, 1)), size_(bytes) {
    check(block_ != nullptr, errc::out_of_memory, "ctlm: the system has no memory for this arena", bytes);
    const auto address = reinterpret_cast<std::uintptr_t>(block_);
    base_ = static_cast<std::byte*>(block_) + (round_up(address, memory_alignment) - address);
    ask_for_large_pages();
  }
  heap_arena(heap_arena&& other) noexcept
      : block_(other.block_), base_(other.base_), size_(other.size_), used_(other.used_) {
    other.block_ = nullptr;
    other.size_ = other.used_ = 0;
  }
  heap_arena(const heap_arena&) = delete;
  heap_arena& operator=(const heap_arena&) = delete;
  heap_arena& operator=(heap_arena&&) = delete;
  ~heap_arena() { std::free(block_); }

  template <class T>
  T* allocate(std::size_t n) {
    const std::size_t bytes = padded_bytes<T>(n);
    if (bytes > remaining()) return nullptr;
    std::byte* p = base_ + used_;
    used_ += bytes;
    return reinterpret_cast<T*>(p);
  }
  std::size_t mark() const { return used_; }
  void rewind(std::size_t m) { used_ = m; }
  std::size_t remaining() const { return size_ - used_; }
  std::size_t used() const { return used_; }

 private:
  /// Matrices are walked along rows and columns: with pages of 4 KiB a large one has more of them than the processor
  /// can keep the addresses of.
  void ask_for_large_pages() {
#if CTLM_LARGE_PAGES
    constexpr std::size_t page = 4096, worthwhile = std::size_t{4} << 20;
    if (size_ < worthwhile) return;
    const auto first = round_up(reinterpret_cast<std::uintptr_t>(base_), page);
    const auto end = (reinterpret_cast<std::uintptr_t>(base_) + size_) / page * page;
    (void)::madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);  // advice, which a system may ignore
#endif
  }

  void* block_;
  std::byte* base_ = nullptr;
  std::size_t size_;
  std::size_t used_ = 0;
};

}}  // namespace ctlm
