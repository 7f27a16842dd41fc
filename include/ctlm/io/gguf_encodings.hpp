// SPDX-License-Identifier: MIT
// ctlm: how the tensors of GGUF files are encoded: a table of what can be read, and of what can be written.
#pragma once

#include "../core/result.hpp"
#include "gguf_quantise.hpp"
#include "gguf_super_blocks.hpp"
#include "stored_tensor.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// With the numbers by which a file calls them.
enum class gguf_encoding : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq4_nl = 20,
  iq4_xs = 23,
  f64 = 28,
  bf16 = 30,
};

namespace gguf_detail {

struct encoding_entry {
  gguf_encoding type;
  number_encoding numbers;
  /// The reverse of numbers.decode, where ctlm writes this encoding.
  void (*encode)(const float* from, std::size_t units, std::byte* to) = nullptr;
};

template <std::size_t numbers, std::size_t bytes, void (*decode)(const octet*, float*)>
constexpr encoding_entry read_only(gguf_encoding type, const char* name) {
  return {type, {name, numbers, bytes, decode_blocks<numbers, bytes, decode>}};
}
template <std::size_t numbers, std::size_t bytes, void (*decode)(const octet*, float*),
          void (*encode)(const float*, octet*)>
constexpr encoding_entry read_and_written(gguf_encoding type, const char* name) {
  return {type, {name, numbers, bytes, decode_blocks<numbers, bytes, decode>}, encode_blocks<numbers, bytes, encode>};
}

inline constexpr encoding_entry encodings[] = {
    read_and_written<1, 4, decode_f32, encode_f32>(gguf_encoding::f32, "F32"),
    read_and_written<1, 2, decode_f16, encode_f16>(gguf_encoding::f16, "F16"),
    read_and_written<1, 2, decode_bf16, encode_bf16>(gguf_encoding::bf16, "BF16"),
    read_only<1, 8, decode_f64>(gguf_encoding::f64, "F64"),
    read_and_written<32, 34, decode_q8_0, encode_q8_0>(gguf_encoding::q8_0, "Q8_0"),
    read_and_written<32, 18, decode_q4_0, encode_q4_0>(gguf_encoding::q4_0, "Q4_0"),
    read_and_written<32, 20, decode_q4_1, encode_q4_1>(gguf_encoding::q4_1, "Q4_1"),
    read_only<32, 22, decode_q5_0>(gguf_encoding::q5_0, "Q5_0"),
    read_only<32, 24, decode_q5_1>(gguf_encoding::q5_1, "Q5_1"),
    read_only<256, 84, decode_q2_k>(gguf_encoding::q2_k, "Q2_K"),
    read_only<256, 110, decode_q3_k>(gguf_encoding::q3_k, "Q3_K"),
    read_only<256, 144, decode_q4_k>(gguf_encoding::q4_k, "Q4_K"),
    read_only<256, 176, decode_q5_k>(gguf_encoding::q5_k, "Q5_K"),
    read_only<256, 210, decode_q6_k>(gguf_encoding::q6_k, "Q6_K"),
    read_only<32, 18, decode_iq4_nl>(gguf_encoding::iq4_nl, "IQ4_NL"),
    read_only<256, 136, decode_iq4_xs>(gguf_encoding::iq4_xs, "IQ4_XS"),
};

/// The entry of an encoding, or nullptr for a number that stands for none that ctlm knows.
inline const encoding_entry* find_encoding(std::uint32_t type) {
  for (const encoding_entry& e : encodings)
    if (static_cast<std::uint32_t>(e.type) == type) return &e;
  return nullptr;
}

}  // namespace gguf_detail

/// How numbers of this encoding are laid out and read.
inline const number_encoding& numbers_of(gguf_encoding e) {
  const auto* const entry = gguf_detail::find_encoding(static_cast<std::uint32_t>(e));
  check(entry != nullptr,
        {errc::unsupported, "ctlm: GGUF encoding {had} is not one that ctlm reads", 0, 0, static_cast<std::size_t>(e)});
  return entry->numbers;
}

}}  // namespace ctlm
