// SPDX-License-Identifier: MIT
// ctlm: codes of 2 to 6 bits in the bytes of a row.
//
// Bytes are shared evenly only by codes of 1, 2, 4 or 8 bits. Others have two parts: a low one of as many bits as such
// a code has at most, and a high one of what is left: 3 bits are 2 and 1, 5 are 4 and 1, 6 are 4 and 2. The code is
// low | high << low_bits, and each part is laid out as if it were all there is.
//
// A row is cut into chunks of 32 codes, the last padded. Each has its low parts, then its high parts, in planes: a byte
// of 4 bits holds those of numbers j and j + 16 of the chunk, a byte of 2 bits j, j + 8, j + 16 and j + 24, a byte of
// 1 bit j, j + 4, j + 8 and so on.
#pragma once

#include "../core/types.hpp"

#include <bit>

namespace ctlm { inline namespace CTLM_ABI {

/// Numbers in a chunk of packed codes.
inline constexpr std::size_t code_chunk = 32;

/// Bits of the low part of a code of `bits` bits, and of its high part: 0 where there is none.
constexpr std::size_t low_bits_of(std::size_t bits) { return std::bit_floor(bits); }
constexpr std::size_t high_bits_of(std::size_t bits) { return bits - low_bits_of(bits); }

/// One part of a chunk's codes, of Bits bits each: 1, 2 or 4.
template <std::size_t Bits>
struct code_planes {
  static constexpr std::size_t planes = 8 / Bits;            ///< parts of codes in a byte
  static constexpr std::size_t plane = code_chunk / planes;  ///< bytes
  static constexpr unsigned mask = (1u << Bits) - 1;

  /// The part of code j of a chunk.
  static constexpr int get(const std::uint8_t* part, std::size_t j) {
    return static_cast<int>((part[j % plane] >> (Bits * (j / plane))) & mask);
  }
  /// Writes it; `code` has no other bits than that part's.
  static constexpr void set(std::uint8_t* part, std::size_t j, unsigned code) {
    const std::size_t shift = Bits * (j / plane);
    std::uint8_t& byte = part[j % plane];
    byte = static_cast<std::uint8_t>((byte & ~(mask << shift)) | (code << shift));
  }
};

/// What a format of unsigned codes of Bits bits, 2 to 6, derives from to have them packed.
template <std::size_t Bits>
struct packed_codes {
  /// Code i of a row.
  static constexpr int get_code(const std::uint8_t* row, std::size_t i) {
    const std::uint8_t* chunk = row + i / code_chunk * chunk_bytes;
    const int code = low::get(chunk, i % code_chunk);
    if constexpr (high_bits == 0)
      return code;
    else
      return code | code_planes<high_bits>::get(chunk + low::plane, i % code_chunk) << low_bits;
  }
  /// Writes code i of a row.
  static constexpr void set_code(std::uint8_t* row, std::size_t i, int code) {
    std::uint8_t* chunk = row + i / code_chunk * chunk_bytes;
    const auto bits = static_cast<unsigned>(code);
    low::set(chunk, i % code_chunk, high_bits == 0 ? bits : bits & low::mask);
    if constexpr (high_bits > 0) code_planes<high_bits>::set(chunk + low::plane, i % code_chunk, bits >> low_bits);
  }

 private:
  static constexpr std::size_t low_bits = low_bits_of(Bits), high_bits = high_bits_of(Bits);
  static constexpr std::size_t chunk_bytes = code_chunk * Bits / 8;
  using low = code_planes<low_bits>;
};

}}  // namespace ctlm
