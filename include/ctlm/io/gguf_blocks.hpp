// SPDX-License-Identifier: MIT
// ctlm: numbers of GGUF files that stand alone, and those in blocks of 32 that share a scale: how bytes become floats.
#pragma once

#include "../format/float16.hpp"
#include "little_endian.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scales are 16-bit floats of 11 bits, codes have 8 bits at most: their products are exact in single precision. So a
/// sum of a product and a minimum is rounded once, and is the same number whether or not the compiler fuses the two.
namespace gguf_detail {

using octet = std::uint8_t;

inline float half_at(const octet* p) { return half_to_float(load_little_endian<std::uint16_t>(p)); }
/// The four bits of `b` that `high` says.
inline int nibble(octet b, bool high) { return high ? b >> 4 : b & 15; }

/// number_encoding::decode for blocks of `numbers` numbers in `bytes` bytes, each read by `block`.
template <std::size_t numbers, std::size_t bytes, void (*block)(const octet*, float*)>
void decode_blocks(const std::byte* from, std::size_t units, float* to) {
  const auto* p = reinterpret_cast<const octet*>(from);
  for (; units > 0; --units, p += bytes, to += numbers) block(p, to);
}

inline void decode_f32(const octet* p, float* to) { *to = load_little_endian<float>(p); }
inline void decode_f64(const octet* p, float* to) { *to = static_cast<float>(load_little_endian<double>(p)); }
/// number_encoding::decode_wide of them.
inline void decode_f64_wide(const std::byte* from, std::size_t units, double* to) {
  const auto* p = reinterpret_cast<const octet*>(from);
  for (std::size_t i = 0; i < units; ++i) to[i] = load_little_endian<double>(p + i * sizeof(double));
}
inline void decode_f16(const octet* p, float* to) { *to = half_at(p); }
inline void decode_bf16(const octet* p, float* to) { *to = bfloat_to_float(load_little_endian<std::uint16_t>(p)); }

/// A scale, then 32 codes of 8 bits with a sign.
inline void decode_q8_0(const octet* p, float* to) {
  const float scale = half_at(p);
  for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(static_cast<std::int8_t>(p[2 + i]));
}

/// A scale, then 16 bytes: number i is in the lower half of byte i, number i + 16 in the upper half.
inline void decode_q4_0(const octet* p, float* to) {
  const float scale = half_at(p);
  for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(nibble(p[2 + i % 16], i >= 16) - 8);
}

/// The same with a minimum behind the scale.
inline void decode_q4_1(const octet* p, float* to) {
  const float scale = half_at(p), minimum = half_at(p + 2);
  for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(nibble(p[4 + i % 16], i >= 16)) + minimum;
}

/// Code i of 32 with five bits: the fifth is bit i of the word at `high`.
inline int five_bits(const octet* high, const octet* low, std::size_t i) {
  const auto fifth = load_little_endian<std::uint32_t>(high) >> i & 1;
  return nibble(low[i % 16], i >= 16) | static_cast<int>(fifth << 4);
}
inline void decode_q5_0(const octet* p, float* to) {
  const float scale = half_at(p);
  for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(five_bits(p + 2, p + 6, i) - 16);
}
inline void decode_q5_1(const octet* p, float* to) {
  const float scale = half_at(p), minimum = half_at(p + 2);
  for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(five_bits(p + 4, p + 8, i)) + minimum;
}

/// What the codes of IQ4_NL and IQ4_XS stand for: steps that grow away from zero.
inline constexpr std::int8_t uneven_steps[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                 1,    13,   25,  38,  53,  69,  89,  113};
inline void decode_iq4_nl(const octet* p, float* to) {
  const float scale = half_at(p);
  for (std::size_t i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(uneven_steps[nibble(p[2 + i % 16], i >= 16)]);
}

}  // namespace gguf_detail

}}  // namespace ctlm
