// SPDX-License-Identifier: MIT
// ctlm: 4-bit integers: with groups of 32 about a seventh of single precision. What rounding to them costs depends on
// the model, and more with large groups; an asymmetric group costs about half as much (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 4-bit integers: 16 levels. Group is how many numbers of a row share a scale (per_channel: the whole row), Range
/// whether there is a minimum beside it.
template <std::size_t Group = 32, range Range = symmetric>
struct int4 : quantised<int4<Group, Range>, std::uint8_t, 4, Group, Range>, packed_codes<4> {
  static constexpr const char* name = "int4";
  static constexpr int lowest = 0, highest = 15;
  static constexpr float zero = 8;
  // Scales to try (fit.hpp): which numbers were best for weights of real models, with room for other groups.
  static constexpr bool searched = true;
  static constexpr bool favours_large = true;  // of their errors, which count more (fit.hpp)
  static constexpr float ends[16] = {-8,    -8.12f, -8.25f, -8.4f, -8.6f, -7.88f, -7.75f, -7.6f,
                                     -7.3f, -7.1f,  -6.95f, -6.1f, 7.3f,  7.1f,   6.95f,  6.1f};
  static constexpr float cuts[4] = {0, -0.02f, 0.03f, 0.06f};
};
static_assert(quantised_format<int4<32>>);

}}  // namespace ctlm
