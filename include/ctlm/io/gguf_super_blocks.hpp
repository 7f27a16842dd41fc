// SPDX-License-Identifier: MIT
// ctlm: numbers of GGUF files in blocks of 256: parts of 16 or 32 have small scales, which share a large one.
#pragma once

#include "gguf_blocks.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A part's scale has 6 bits (8 in Q6_K), the block's 11: their product, and that with a code, is exact in single
/// precision wherever a minimum is subtracted from it (gguf_blocks.hpp says why that matters).
namespace gguf_detail {

/// Codes of two bits, 128 in 32 bytes: the first 32 are the lowest two bits of each byte, and so on upwards.
inline int two_bits(const octet* codes, std::size_t i) { return codes[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3; }
/// Bit i / 32 of byte i % 32.
inline int one_bit(const octet* bits, std::size_t i) { return bits[i % 32] >> (i / 32) & 1; }
/// Codes of four bits, 64 in 32 bytes: the first 32 are the lower halves.
inline int four_bits(const octet* codes, std::size_t i) { return nibble(codes[i / 64 * 32 + i % 32], i / 32 % 2 != 0); }

/// 16 bytes (scale below, minimum above), 64 of codes, then both large scales.
inline void decode_q2_k(const octet* p, float* to) {
  const float scale = half_at(p + 80), minimum = half_at(p + 82);
  for (std::size_t part = 0; part < 16; ++part) {
    const float s = scale * static_cast<float>(nibble(p[part], false));
    const float m = minimum * static_cast<float>(nibble(p[part], true));
    for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) to[i] = s * static_cast<float>(two_bits(p + 16, i)) - m;
  }
}

/// Scale `part` of 16, of six bits: four in bytes 0 to 7, lower halves first; two in bytes 8 to 11.
inline int q3_scale(const octet* scales, std::size_t part) {
  const int low = nibble(scales[part % 8], part >= 8), high = scales[8 + part % 4] >> (part / 4 * 2) & 3;
  return (low | high << 4) - 32;
}
/// 32 bytes of third bits, which are clear where 4 is to be subtracted; 64 of codes, 12 of scales, the large scale.
inline void decode_q3_k(const octet* p, float* to) {
  const float scale = half_at(p + 108);
  for (std::size_t part = 0; part < 16; ++part) {
    const float s = scale * static_cast<float>(q3_scale(p + 96, part));
    for (std::size_t i = 16 * part; i < 16 * part + 16; ++i)
      to[i] = s * static_cast<float>(two_bits(p + 32, i) - (one_bit(p, i) != 0 ? 0 : 4));
  }
}

/// Eight scales and eight minima of six bits in 12 bytes. The first four of each lie in the lower bits of bytes 0 to 3
/// and 4 to 7; the upper bits of those are the upper two of the last four, whose lower four are in bytes 8 to 11.
inline int q4_scale(const octet* scales, std::size_t part, bool minimum) {
  const std::size_t at = part % 4 + (minimum ? 4 : 0);
  if (part < 4) return scales[at] & 63;
  return nibble(scales[8 + part % 4], minimum) | scales[at] >> 6 << 4;
}
/// Both large scales, 12 bytes of small ones, then the codes, which `code` reads behind them.
template <class Code>
void decode_with_minima(const octet* p, float* to, Code code) {
  const float scale = half_at(p), minimum = half_at(p + 2);
  for (std::size_t part = 0; part < 8; ++part) {
    const float s = scale * static_cast<float>(q4_scale(p + 4, part, false));
    const float m = minimum * static_cast<float>(q4_scale(p + 4, part, true));
    for (std::size_t i = 32 * part; i < 32 * part + 32; ++i) to[i] = s * static_cast<float>(code(i)) - m;
  }
}
inline void decode_q4_k(const octet* p, float* to) {
  decode_with_minima(p, to, [&](std::size_t i) { return four_bits(p + 16, i); });
}
/// 32 bytes of fifth bits lie before the codes.
inline void decode_q5_k(const octet* p, float* to) {
  decode_with_minima(p, to, [&](std::size_t i) { return four_bits(p + 48, i) | one_bit(p + 16, i) << 4; });
}

/// 128 bytes of lower halves, 64 of the two bits above, 16 scales with a sign, the large scale.
inline void decode_q6_k(const octet* p, float* to) {
  const float scale = half_at(p + 208);
  for (std::size_t part = 0; part < 16; ++part) {
    const float s = scale * static_cast<float>(static_cast<std::int8_t>(p[192 + part]));
    for (std::size_t i = 16 * part; i < 16 * part + 16; ++i) {
      const int low = nibble(p[i / 128 * 64 + i % 64], i / 64 % 2 != 0);
      to[i] = s * static_cast<float>((low | two_bits(p + 128, i) << 4) - 32);
    }
  }
}

/// The large scale, 16 bits with the upper two of each small scale, four bytes with their lower four; then codes, 32 in
/// 16 bytes.
inline void decode_iq4_xs(const octet* p, float* to) {
  const float scale = half_at(p);
  const auto high = load_little_endian<std::uint16_t>(p + 2);
  for (std::size_t part = 0; part < 8; ++part) {
    const int small = (nibble(p[4 + part / 2], part % 2 != 0) | (high >> (2 * part) & 3) << 4) - 32;
    const float s = scale * static_cast<float>(small);
    const octet* const codes = p + 8 + 16 * part;
    for (std::size_t i = 0; i < 32; ++i)
      to[32 * part + i] = s * static_cast<float>(uneven_steps[nibble(codes[i % 16], i >= 16)]);
  }
}

}  // namespace gguf_detail

}}  // namespace ctlm
