// SPDX-License-Identifier: MIT
// ctlm: how sums of products see the codes of integer weights on these processors, and what is asked of memory ahead.
#pragma once

#include "../../../backend/xsimd.hpp"
#include "../../portable/quantised_stripe.hpp"

CTLM_INTRINSICS_BEGIN
namespace ctlm { inline namespace CTLM_ABI {

/// Twice the code that means zero, as sums of products see codes. Without VNNI they make codes of 8 bits signed, so
/// that the stored 128 is 0 there already.
template <class F>
inline constexpr int twice_seen_zero = twice_stored_zero<F> - (F::bits == 8 && !CTLM_AVX512VNNI ? 256 : 0);

/// The bits of the high part, in a code.
template <class F>
inline constexpr char high_mask = static_cast<char>((1 << F::bits) - (1 << F::low_bits));

/// Asks for lines of a tile that will soon be read: all of them where one token passes over weights that no cache
/// holds, which processors that look ahead by themselves are too late for. Few bits take longer a byte: nearer lines
/// are in time for them.
template <class F, std::size_t M>
CTLM_INLINE void look_ahead(const std::uint8_t* codes) {
  constexpr std::size_t line = 64, distance = F::low_bits > 2 ? 4096 : 2048;
  for (std::size_t at = 0; at < (M == 1 ? F::tile_bytes : line); at += line)
    _mm_prefetch(reinterpret_cast<const char*>(codes) + distance + at, _MM_HINT_T0);
}

}}  // namespace ctlm
CTLM_INTRINSICS_END
