// SPDX-License-Identifier: MIT
// ctlm: an arena for constant evaluation, where bytes cannot be reinterpreted: each allocation is a typed array.
#pragma once

#include "arena.hpp"

#include <limits>

namespace ctlm { inline namespace CTLM_ABI {

/// An arena for constant evaluation: with it a whole model can run inside a static_assert, where the compiler proves
/// the absence of undefined behaviour. Nothing is given back before it is destroyed.
class constant_arena {
 public:
  constexpr constant_arena() = default;
  constant_arena(const constant_arena&) = delete;
  constant_arena& operator=(const constant_arena&) = delete;
  constexpr ~constant_arena() {
    while (pieces_ != nullptr) {
      piece* next = pieces_->next;
      delete pieces_;
      pieces_ = next;
    }
  }

  template <class T>
  constexpr T* allocate(std::size_t n) {
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
    check(padded_bytes<T>(n) <= most,
          {errc::out_of_memory, "ctlm: an array of {needed} elements is longer than memory", 0, n, most / sizeof(T)});
    auto* b = new array<T>(n);
    b->next = pieces_;
    pieces_ = b;
    return b->data;
  }
  constexpr std::size_t mark() const { return 0; }
  constexpr void rewind(std::size_t) {}

 private:
  struct piece {
    piece* next = nullptr;
    constexpr virtual ~piece() = default;
  };
  template <class T>
  struct array final : piece {
    T* data;
    constexpr explicit array(std::size_t n) : data(new T[n]{}) {}
    constexpr ~array() override { delete[] data; }
  };

  piece* pieces_ = nullptr;
};

}}  // namespace ctlm
