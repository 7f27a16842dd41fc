// SPDX-License-Identifier: MIT
// The runtime of a WebAssembly module: what a compiler expects of a freestanding library, and the end of a broken
// precondition, which the page hears of: the import env.fatal(text), a text that ends with a zero. It must not return.
#include <ctlm/core/result.hpp>

extern "C" {

// With -mbulk-memory the loops of these would be calls of themselves.
void* memcpy(void* to, const void* from, std::size_t n) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < n; ++i) t[i] = f[i];
  return to;
}
void* memset(void* to, int byte, std::size_t n) {
  auto* t = static_cast<unsigned char*>(to);
  for (std::size_t i = 0; i < n; ++i) t[i] = static_cast<unsigned char>(byte);
  return to;
}
void* memmove(void* to, const void* from, std::size_t n) {
  auto* t = static_cast<unsigned char*>(to);
  const auto* f = static_cast<const unsigned char*>(from);
  if (t < f) return memcpy(to, from, n);
  while (n-- > 0) t[n] = f[n];
  return to;
}
int memcmp(const void* a, const void* b, std::size_t n) {
  const auto* x = static_cast<const unsigned char*>(a);
  const auto* y = static_cast<const unsigned char*>(b);
  for (std::size_t i = 0; i < n; ++i)
    if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
  return 0;
}

__attribute__((import_module("env"), import_name("fatal"))) void ctlm_host_fatal(const char* text);

}  // extern "C"

namespace ctlm { inline namespace CTLM_ABI {
void fatal(const failure& f) noexcept {
  ctlm_host_fatal(explain(f).text);
  __builtin_trap();
}
}}  // namespace ctlm
