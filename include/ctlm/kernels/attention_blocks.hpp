// SPDX-License-Identifier: MIT
// ctlm: blocks of a chunk's rows that attend together: those of all heads that share keys, of some tokens that follow
// each other. A backend that multiplies 16-bit numbers in tiles takes such a block at a time.
#pragma once

#include "attention.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Whether a backend has attend_block(), in single precision.
template <class Backend>
inline constexpr bool attends_in_blocks = false;

/// How many bf16 numbers, added up, stand for a number of keys and of values.
template <std::size_t Keys, std::size_t Values>
struct block_parts {};

/// The sizes of a block. Each of its rows is a token's head.
struct attention_block {
  static constexpr std::size_t rows_at_once = 32;  ///< rows whose scores are in memory at a time: two tiles
  static constexpr std::size_t most_rows = 192;    ///< of a block, so that unpacking keys costs little beside scores
  static constexpr std::size_t fewest_rows = 16;   ///< of all rows of a chunk: with fewer, tiles are too empty

  /// Tokens of a block. Windows begin with a block's first token: so this does not depend on how long a chunk may be.
  static constexpr std::size_t tokens(std::size_t group) { return larger(1, most_rows / group); }
  /// Numbers of a row as tiles have them.
  static constexpr std::size_t columns(std::size_t head_dim) { return round_up(head_dim, 32); }
  /// Numbers in single precision that a worker needs. Packed numbers have two parts of two bytes each.
  static constexpr std::size_t scratch(std::size_t group, std::size_t head_dim, std::size_t chunk) {
    const std::size_t rows = round_up(smaller(chunk, tokens(group)) * group, rows_at_once), d = columns(head_dim);
    return 2 * rows * d                   // queries, and exponentials times values
           + 2 * key_tile * d             // keys and values
           + 2 * rows_at_once * key_tile  // scores, and their exponentials
           + (1 + 16) * rows;             // peaks, and the lanes of sums
  }
};

}}  // namespace ctlm
#if CTLM_XSIMD
#if CTLM_AVX2
#if CTLM_AVX512BF16
#if CTLM_AMX
#include "xsimd/amx/attention.hpp"
#endif
#endif
#endif
#endif
