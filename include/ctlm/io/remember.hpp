// SPDX-License-Identifier: MIT
// ctlm: names out of files, kept where a failure can point to them.
#pragma once

#include "../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A zero-terminated copy of a name for failure::name; it lives until this thread remembers eight more. What could not
/// be shown on a terminal becomes '?', and a name of more than 120 bytes ends in "...".
inline const char* remember(span<const char> name) {
  constexpr std::size_t most = 120, kept = 8;
  thread_local char names[kept][most + 4];
  thread_local std::size_t next = 0;
  char* const copy = names[next++ % kept];
  const std::size_t n = name.size() < most ? name.size() : most;
  for (std::size_t i = 0; i < n; ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    copy[i] = c < 0x20 || c >= 0x7F ? '?' : name[i];
  }
  for (std::size_t i = 0; i < 4; ++i) copy[n + i] = n < name.size() && i < 3 ? '.' : '\0';
  return copy;
}

}}  // namespace ctlm
