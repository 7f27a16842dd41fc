// SPDX-License-Identifier: MIT
// ctlm: floats as GGUF files store them: single numbers, and blocks of 32 codes that share a scale.
#pragma once

#include "gguf_blocks.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Finite numbers become what llama.cpp's reference makes of them, to the bit. A block with a number that is not finite
/// gets a scale that is NaN, and so does everything read from it.
namespace gguf_detail {

/// Encodes `units` units of numbers at `from`: the reverse of number_encoding::decode.
template <std::size_t numbers, std::size_t bytes, void (*block)(const float*, octet*)>
void encode_blocks(const float* from, std::size_t units, std::byte* to) {
  auto* p = reinterpret_cast<octet*>(to);
  for (; units > 0; --units, from += numbers, p += bytes) block(from, p);
}

inline void encode_f32(const float* from, octet* p) { store_little_endian(*from, p); }
inline void encode_f16(const float* from, octet* p) { store_little_endian(float_to_half(*from), p); }
inline void encode_bf16(const float* from, octet* p) { store_little_endian(float_to_bfloat(*from), p); }

struct block_range {
  float least, most;  // as numbers
  float farthest;     // from zero, with its sign; the first of those
  float distance;     // of that one from zero
  bool finite = true;
};
inline block_range range_of(const float* x) {
  block_range r{x[0], x[0], x[0], -1.0f};
  for (std::size_t i = 0; i < 32; ++i) {
    if (x[i] < r.least) r.least = x[i];
    if (x[i] > r.most) r.most = x[i];
    const float d = x[i] > 0 ? x[i] : 0.0f - x[i];  // of a zero with a sign, one without
    if (d > r.distance) r.distance = d, r.farthest = x[i];
    r.finite = r.finite && x[i] - x[i] == 0;
  }
  return r;
}

/// a * b + c, rounded twice. What is volatile is stored: so the compiler cannot fuse the two, which would round once.
inline float rounded_twice(float a, float b, float c) {
  const volatile float product = a * b;
  return product + c;
}
inline float inverse(float scale) { return scale == 0 ? 0.0f : 1.0f / scale; }
/// The whole number towards zero, kept in [least, most]; NaN becomes 0.
inline int whole(float x, int least, int most) {
  if (!(x == x)) return 0;
  if (x <= static_cast<float>(least)) return least;
  return x >= static_cast<float>(most) ? most : static_cast<int>(x);
}
/// To nearest, halves away from zero: adding a half may round up what is less, so it is compared instead.
inline int nearest(float x, int least, int most) {
  const int towards_zero = whole(x, least, most);
  const float rest = x - static_cast<float>(towards_zero);
  return whole(static_cast<float>(towards_zero + (rest >= 0.5f) - (rest <= -0.5f)), least, most);
}

/// Scale NaN, all else zero.
inline void not_a_number(octet* p, std::size_t bytes) {
  std::memset(p, 0, bytes);
  store_little_endian(std::uint16_t{0x7E00}, p);
}

inline void encode_q8_0(const float* x, octet* p) {
  const block_range r = range_of(x);
  if (!r.finite) return not_a_number(p, 34);
  const float scale = r.distance / 127, inverted = inverse(scale);
  store_little_endian(float_to_half(scale), p);
  for (std::size_t i = 0; i < 32; ++i) {
    const volatile float code = x[i] * inverted;
    p[2 + i] = static_cast<octet>(nearest(code, -128, 127));
  }
}

/// Codes of four bits, code(i) for number i.
template <class Code>
void put_nibbles(octet* p, Code code) {
  for (std::size_t i = 0; i < 16; ++i) p[i] = static_cast<octet>(code(i) | code(i + 16) << 4);
}

/// The number farthest from zero becomes code 0, which stands for -8.
inline void encode_q4_0(const float* x, octet* p) {
  const block_range r = range_of(x);
  if (!r.finite) return not_a_number(p, 18);
  const float scale = r.farthest / -8, inverted = inverse(scale);
  store_little_endian(float_to_half(scale), p);
  put_nibbles(p + 2, [&](std::size_t i) { return whole(rounded_twice(x[i], inverted, 8.5f), 0, 15); });
}

/// The least number becomes code 0, the largest 15.
inline void encode_q4_1(const float* x, octet* p) {
  const block_range r = range_of(x);
  if (!r.finite) return not_a_number(p, 20);
  const float scale = (r.most - r.least) / 15, inverted = inverse(scale);
  store_little_endian(float_to_half(scale), p);
  store_little_endian(float_to_half(r.least), p + 2);
  put_nibbles(p + 4, [&](std::size_t i) { return whole(rounded_twice(x[i] - r.least, inverted, 0.5f), 0, 15); });
}

}  // namespace gguf_detail

}}  // namespace ctlm
