// SPDX-License-Identifier: MIT
// ctlm: 6-bit integers: 64 levels, a low part of 4 bits and a high one of 2. Rounding to them costs next to nothing
// (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 6-bit integers: 64 levels. Group is how many numbers of a row share a scale (per_channel: the whole row), Range
/// whether there is a minimum beside it.
template <std::size_t Group = 32, range Range = symmetric>
struct int6 : quantised<int6<Group, Range>, std::uint8_t, 6, Group, Range>, packed_codes<6> {
  static constexpr const char* name = "int6";
  static constexpr int lowest = 0, highest = 63;
  static constexpr float zero = 32;
  // Scales to try (fit.hpp): which numbers were best for weights of real models, with room for other groups.
  static constexpr bool searched = true;
  static constexpr bool favours_large = true;  // of their errors, which count more (fit.hpp)
  static constexpr float ends[16] = {-32,     -32.13f, -32.4f, -33.1f, -31.87f, -31.74f, -31.1f, -30.9f,
                                     -30.15f, -29.95f, -29,    -28,    -27,     28.9f,   30.2f,  31.1f};
  static constexpr float cuts[4] = {0, -0.025f, 0.004f, 0.0075f};
};
static_assert(quantised_format<int6<32>>);

}}  // namespace ctlm
