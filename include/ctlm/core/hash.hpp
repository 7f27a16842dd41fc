// SPDX-License-Identifier: MIT
// ctlm: what identifies a layout, and what notices damage, in checkpoints and flash images.
#pragma once

#include "types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Identifies a description made of names and numbers (FNV-1a, 64 bits).
class fingerprint {
 public:
  /// Adds a zero-terminated text.
  constexpr void text(const char* s) {
    for (; *s != '\0'; ++s) byte(static_cast<unsigned char>(*s));
  }
  /// Adds a number.
  constexpr void number(std::uint64_t n) {
    for (int i = 0; i < 8; ++i) byte((n >> (8 * i)) & 0xFF);
  }
  /// The fingerprint of what was added so far.
  constexpr std::uint64_t value() const { return state_; }

 private:
  constexpr void byte(std::uint64_t b) { state_ = (state_ ^ b) * 0x100000001B3u; }
  std::uint64_t state_ = 0xCBF29CE484222325u;
};

/// A running 64-bit checksum: each word is a bijection of the state, so that any single changed word changes the
/// result.
class checksum {
 public:
  /// Adds n bytes. Eight at a time are one word: the same bytes cut into other pieces may give another checksum.
  void add(const void* data, std::size_t n) {
    const auto* p = static_cast<const unsigned char*>(data);
    for (; n >= 8; n -= 8, p += 8) {
      std::uint64_t word;
      __builtin_memcpy(&word, p, 8);
      mix_in(word);
    }
    for (; n > 0; --n, ++p) mix_in(*p);
  }
  /// Adds one word: what add() does with eight bytes, the lowest first.
  constexpr void add_word(std::uint64_t word) { mix_in(word); }
  /// The checksum of what was added so far.
  constexpr std::uint64_t value() const { return state_; }

 private:
  constexpr void mix_in(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9E3779B97F4A7C15u;
    state_ ^= state_ >> 29;
  }
  std::uint64_t state_ = 0x243F6A8885A308D3u;
};

}}  // namespace ctlm
