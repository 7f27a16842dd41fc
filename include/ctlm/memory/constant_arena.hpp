// SPDX-License-Identifier: MIT
// ctlm: an arena for constant evaluation, where bytes cannot be reinterpreted: each allocation is a typed array.
#pragma once

#include "arena.hpp"

namespace ctlm::inline CTLM_ABI {

/// Lets a whole model run inside a static_assert, where the compiler proves the absence of undefined behaviour.
class constant_arena {
 public:
  constexpr constant_arena() = default;
  constant_arena(const constant_arena&) = delete;
  constant_arena& operator=(const constant_arena&) = delete;
  constexpr ~constant_arena() {
    for (std::size_t i = 0; i < count_; ++i) blocks_[i].free();
  }

  template <class T>
  constexpr T* allocate(std::size_t n) {
    if (count_ == max_blocks) return nullptr;
    return blocks_[count_++].template make<T>(n);
  }
  constexpr std::size_t mark() const { return 0; }
  constexpr void rewind(std::size_t) {}

 private:
  static constexpr std::size_t max_blocks = 160;

  struct block {
    float* f32 = nullptr;
    double* f64 = nullptr;
    std::int8_t* i8 = nullptr;
    std::uint8_t* u8 = nullptr;
    std::uint16_t* u16 = nullptr;
    std::int32_t* i32 = nullptr;

    template <class T>
    constexpr T* make(std::size_t n) {
      T* p = new T[n]{};
      if constexpr (std::is_same_v<T, float>) f32 = p;
      else if constexpr (std::is_same_v<T, double>) f64 = p;
      else if constexpr (std::is_same_v<T, std::int8_t>) i8 = p;
      else if constexpr (std::is_same_v<T, std::uint8_t>) u8 = p;
      else if constexpr (std::is_same_v<T, std::uint16_t>) u16 = p;
      else i32 = p;
      return p;
    }
    constexpr void free() {
      delete[] f32;
      delete[] f64;
      delete[] i8;
      delete[] u8;
      delete[] u16;
      delete[] i32;
    }
  };

  block blocks_[max_blocks]{};
  std::size_t count_ = 0;
};

}  // namespace ctlm::inline CTLM_ABI
