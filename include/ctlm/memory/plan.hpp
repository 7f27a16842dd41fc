// SPDX-License-Identifier: MIT
// ctlm: groups of buffers that are never in use at the same time share one stretch of memory.
#pragma once

#include "arena.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Lets each layout place its buffers from the same starting point; the longest decides how much memory that takes.
/// What one group wrote is what another then finds in its buffers: write before reading.
template <class A, class... Layouts>
constexpr void overlay(A& a, Layouts... layouts) {
  const auto start = a.mark();
  auto end = start;
  auto place = [&](auto& layout) {
    a.rewind(start);
    layout(a);
    end = larger(end, a.mark());
  };
  (place(layouts), ...);
  a.rewind(end);
}

/// Hands out the same addresses as the arena that first laid the bytes out, without touching their contents.
/// Weights in flash or in a mapped file are bound this way.
template <class Byte>
class binding_arena {
 public:
  constexpr binding_arena(Byte* base, std::size_t size) : base_(base), size_(size) {}

  template <class T>
  auto allocate(std::size_t n) {
    using element = std::conditional_t<std::is_const_v<Byte>, const T, T>;
    const std::size_t bytes = padded_bytes<T>(n);
    if (bytes > size_ - used_) return static_cast<element*>(nullptr);
    auto* p = reinterpret_cast<element*>(base_ + used_);
    used_ += bytes;
    return p;
  }
  std::size_t mark() const { return used_; }
  void rewind(std::size_t m) {
    check(m <= size_,
          {errc::invalid_argument, "ctlm: an arena of {had} bytes cannot be rewound to byte {needed}", m, m, size_});
    used_ = m;
  }

 private:
  Byte* base_;
  std::size_t size_;
  std::size_t used_ = 0;
};

}}  // namespace ctlm
