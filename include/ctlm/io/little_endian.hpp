// SPDX-License-Identifier: MIT
// ctlm: numbers in files, whose lowest byte comes first on every machine.
#pragma once

#include "../core/types.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ctlm { inline namespace CTLM_ABI {

/// The number at `p`, of any alignment.
template <class T>
requires std::is_arithmetic_v<T> T load_little_endian(const void* p) {
  T value;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, p, sizeof value);
  } else {
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, p, sizeof value);
    std::reverse(bytes, bytes + sizeof value);
    std::memcpy(&value, bytes, sizeof value);
  }
  return value;
}

/// Writes a number to `p`, of any alignment.
template <class T>
requires std::is_arithmetic_v<T>
void store_little_endian(T value, void* p) {
  unsigned char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  if constexpr (std::endian::native != std::endian::little) std::reverse(bytes, bytes + sizeof value);
  std::memcpy(p, bytes, sizeof value);
}

}}  // namespace ctlm
