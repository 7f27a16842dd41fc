// SPDX-License-Identifier: MIT
// ctlm: how the tensors of GGUF files are encoded: a table of what can be read, and of what can be written.
#pragma once

#include "../core/result.hpp"
#include "gguf_quantise.hpp"
#include "gguf_super_blocks.hpp"
#include "stored_tensor.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// How the numbers of a GGUF tensor are stored, with the values by which a file calls these encodings. Bits a number
/// count the scales and minima too.
enum class gguf_encoding : std::uint32_t {
  f32 = 0,      ///< single precision
  f16 = 1,      ///< half precision
  q4_0 = 2,     ///< blocks of 32: a scale, codes of 4 bits; 4.5 bits a number
  q4_1 = 3,     ///< blocks of 32: a scale, a minimum, codes of 4 bits; 5 bits a number
  q5_0 = 6,     ///< blocks of 32: a scale, codes of 5 bits; 5.5 bits a number
  q5_1 = 7,     ///< blocks of 32: a scale, a minimum, codes of 5 bits; 6 bits a number
  q8_0 = 8,     ///< blocks of 32: a scale, codes of 8 bits; 8.5 bits a number
  q2_k = 10,    ///< blocks of 256: parts with scales and minima, codes of 2 bits; 2.625 bits a number
  q3_k = 11,    ///< blocks of 256: parts with scales, codes of 3 bits; 3.4375 bits a number
  q4_k = 12,    ///< blocks of 256: parts with scales and minima, codes of 4 bits; 4.5 bits a number
  q5_k = 13,    ///< blocks of 256: parts with scales and minima, codes of 5 bits; 5.5 bits a number
  q6_k = 14,    ///< blocks of 256: parts with scales, codes of 6 bits; 6.5625 bits a number
  iq4_nl = 20,  ///< blocks of 32: a scale, codes of 4 bits that stand for uneven steps; 4.5 bits a number
  iq4_xs = 23,  ///< blocks of 256: parts with scales, the codes of iq4_nl; 4.25 bits a number
  f64 = 28,     ///< double precision
  bf16 = 30,    ///< the upper 16 bits of single precision
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
    {gguf_encoding::f64, {"F64", 1, 8, decode_blocks<1, 8, decode_f64>, decode_f64_wide}},
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

/// How numbers of this encoding are laid out and read. Throws ctlm::error, or calls ctlm::fatal, for a value
/// that is no enumerator (errc::unsupported).
inline const number_encoding& numbers_of(gguf_encoding e) {
  const auto* const entry = gguf_detail::find_encoding(static_cast<std::uint32_t>(e));
  check(entry != nullptr,
        {errc::unsupported, "ctlm: GGUF encoding {had} is not one that ctlm reads", 0, 0, static_cast<std::size_t>(e)});
  return entry->numbers;
}

}}  // namespace ctlm
