// SPDX-License-Identifier: MIT
// ctlm: the types of numbers in safetensors files, and how each becomes a float.
#pragma once

#include "../core/json.hpp"
#include "../format/float8.hpp"
#include "stored_tensor.hpp"

#include <bit>
#include <cstring>

namespace ctlm { inline namespace CTLM_ABI { namespace safetensors_detail {

static_assert(std::endian::native == std::endian::little, "ctlm: safetensors are read on little-endian machines");

struct boolean {
  std::uint8_t bits;
  constexpr operator float() const { return bits != 0 ? 1.0f : 0.0f; }
};

/// Numbers of any alignment.
template <class T, class To>
void decode_numbers(const std::byte* bytes, std::size_t n, To* to) {
  for (std::size_t i = 0; i < n; ++i) {
    T x;
    std::memcpy(&x, bytes + i * sizeof x, sizeof x);
    to[i] = static_cast<To>(x);
  }
}
template <class T>
constexpr number_encoding encoding(const char* name) {
  constexpr bool wide = std::is_same_v<T, double> || (std::is_integral_v<T> && sizeof(T) > 2);
  return {name, 1, sizeof(T), decode_numbers<T, float>, wide ? decode_numbers<T, double> : nullptr};
}

inline constexpr number_encoding encodings[] = {
    encoding<double>("F64"),        encoding<float>("F32"),           encoding<half>("F16"),
    encoding<bfloat>("BF16"),       encoding<float8_e4m3>("F8_E4M3"), encoding<float8_e5m2>("F8_E5M2"),
    encoding<std::int64_t>("I64"),  encoding<std::int32_t>("I32"),    encoding<std::int16_t>("I16"),
    encoding<std::int8_t>("I8"),    encoding<std::uint64_t>("U64"),   encoding<std::uint32_t>("U32"),
    encoding<std::uint16_t>("U16"), encoding<std::uint8_t>("U8"),     encoding<boolean>("BOOL"),
};

/// The one of this name, or nullptr.
inline const number_encoding* find_encoding(const json::value& name) {
  for (const number_encoding& e : encodings)
    if (name.equals(e.name)) return &e;
  return nullptr;
}

}}}  // namespace ctlm::safetensors_detail
