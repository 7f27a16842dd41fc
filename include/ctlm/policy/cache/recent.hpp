// SPDX-License-Identifier: MIT
// ctlm: a KV cache in few bits whose newest positions, and the very first, are also kept in a better format: what was
// just said counts most, and so does the first token, to which heads attend that look for nothing.
#pragma once

#include "../../format/f16.hpp"
#include "key_value.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Of kv_cache<>: keys and values in F, a format or key_value<K, V>, and those of the first 4 and of the last positions
/// in format G too, which is then what is read. Positions are counted in blocks of N: a token sees its own block and
/// the one before in G, N + 1 to 2 N positions. A session takes at most the rest of a block at once.
/// docs/quantisation.md says what that costs and gains.
template <row_storage F, std::size_t N = 64, row_storage G = f16>
struct recent {
  static_assert(N > 0, "ctlm: recent<F, N> keeps at least one position");
  static_assert(!rows_in_place<F>, "ctlm: recent<F> is for a format that loses something: f32 and f64 do not");
  static_assert(std::same_as<typename F::compute, typename G::compute>,
                "ctlm: recent<F, N, G>: the formats F and G compute in different numbers");
  using compute = typename F::compute;          ///< the numbers that all decode to
  using old_format = F;                         ///< of all positions
  using new_format = G;                         ///< of the first and the last ones
  static constexpr std::size_t block = N;       ///< positions of a block
  static constexpr std::size_t first_kept = 4;  ///< positions at the begin that stay in G
};

}}  // namespace ctlm
