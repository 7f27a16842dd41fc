// SPDX-License-Identifier: MIT
// ctlm: 5-bit integers: 32 levels, a low part of 4 bits and a high one of 1. What rounding to them costs is a fraction
// of what 4 bits cost (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 5-bit integers: 32 levels. Group is how many numbers of a row share a scale (per_channel: the whole row), Range
/// whether there is a minimum beside it.
template <std::size_t Group = 32, range Range = symmetric>
struct int5 : quantised<int5<Group, Range>, std::uint8_t, 5, Group, Range>, packed_codes<5> {
  static constexpr const char* name = "int5";
  static constexpr int lowest = 0, highest = 31;
  static constexpr float zero = 16;
  // Scales to try (fit.hpp): which numbers were best for weights of real models, with room for other groups.
  static constexpr bool searched = true;
  static constexpr bool favours_large = true;  // of their errors, which count more (fit.hpp)
  static constexpr float ends[16] = {-16,     -16.15f, -16.3f, -16.6f,  -17.2f, -15.87f, -15.75f, -15.3f,
                                     -15.05f, -14.05f, -13.1f, -12.05f, 13,     14.15f,  14.85f,  15.2f};
  static constexpr float cuts[4] = {0, -0.03f, 0.0075f, 0.015f};
};
static_assert(quantised_format<int5<32>>);

}}  // namespace ctlm
