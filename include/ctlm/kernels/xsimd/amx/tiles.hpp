// SPDX-License-Identifier: MIT
// ctlm: tiles, the registers of 16 rows of 64 bytes that AMX multiplies (Intel's Architecture Instruction Set
// Extensions Programming Reference, chapter 3).
#pragma once

#include "../../../backend/xsimd.hpp"

#if CTLM_AMX
CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// The sizes of a tile.
inline constexpr std::size_t tile_rows = 16, tile_bytes = 64;

/// Whether this process may use tiles. Linux saves them for a process only if it has asked (arch_prctl with
/// ARCH_REQ_XCOMP_PERM), and may refuse. The first call asks, for all threads; every call gives the same answer.
inline bool may_use_tiles() {
  static const bool allowed = [] {
    constexpr long arch_prctl = 158, request_permission = 0x1023, tile_data = 18;
    long result = arch_prctl;
    asm volatile("syscall" : "+a"(result) : "D"(request_permission), "S"(tile_data) : "rcx", "r11", "memory");
    return result == 0;
  }();
  return allowed;
}

/// Sizes of a thread's eight tiles, as the processor reads them: whole ones, unless they are changed.
struct alignas(64) tile_sizes {
  std::uint8_t palette = 1, first_row = 0, unused[14]{};
  std::uint16_t row_bytes[16]{};
  std::uint8_t rows[16]{};

  constexpr tile_sizes() {
    for (std::size_t i = 0; i < 8; ++i) row_bytes[i] = tile_bytes, rows[i] = tile_rows;
  }
};
static_assert(sizeof(tile_sizes) == 64);

/// While one lives, this thread has eight tiles, of 16 rows of 64 bytes or of other sizes. Needs may_use_tiles().
class tile_registers {
 public:
  tile_registers() : tile_registers(whole) {}
  explicit tile_registers(const tile_sizes& sizes) { _tile_loadconfig(&sizes); }
  /// Gives the tiles back: a thread without them is switched to and from faster.
  ~tile_registers() { _tile_release(); }
  tile_registers(const tile_registers&) = delete;
  tile_registers& operator=(const tile_registers&) = delete;

 private:
  static constexpr tile_sizes whole{};
};

}}  // namespace ctlm
CTLM_INTRINSICS_END
#endif
