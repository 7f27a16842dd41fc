// SPDX-License-Identifier: MIT
// ctlm: where a session's weights are while it runs.
#pragma once

#include "../../core/types.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// In memory, all of them, for as long as the session lives: in an arena, in flash, or in a mapped file.
struct resident {
  static constexpr std::size_t budget = 0;  ///< none: all weights are in memory
  static constexpr bool streams = false;    ///< sessions take weights in memory
};

/// In a file: at most Budget bytes of them are in memory at any time, and the layers that come next are read while the
/// present one computes (io/offload.hpp).
template <std::size_t Budget>
struct offloaded {
  static constexpr std::size_t budget = Budget;  ///< bytes of weights in memory at most
  static constexpr bool streams = true;          ///< sessions take offloaded_weights
};

/// P::streams says whether a session asks for one layer after the other (offloaded_weights) or has all weights in
/// memory; P::budget is how many bytes of them may be in memory.
template <class P>
concept memory_policy = requires {
  { P::budget } -> std::convertible_to<std::size_t>;
  { P::streams } -> std::convertible_to<bool>;
};
static_assert(memory_policy<resident> && memory_policy<offloaded<1>>);

}}  // namespace ctlm
