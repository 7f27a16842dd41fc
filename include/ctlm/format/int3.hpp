// SPDX-License-Identifier: MIT
// ctlm: 3-bit integers: eight levels, a low part of 2 bits and a high one of 1. Rounding a finished model to them costs
// a loss that everybody notices; asymmetric groups and feedback (GPTQ) leave the least of it (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 3-bit integers: 8 levels. Group is how many numbers of a row share a scale (per_channel: the whole row), Range
/// whether there is a minimum beside it.
template <std::size_t Group = 32, range Range = symmetric>
struct int3 : quantised<int3<Group, Range>, std::uint8_t, 3, Group, Range>, packed_codes<3> {
  static constexpr const char* name = "int3";
  static constexpr int lowest = 0, highest = 7;
  static constexpr float zero = 4;
  // Scales to try (fit.hpp): which numbers were best for weights of real models, with room for other groups.
  static constexpr bool searched = true;
  // Whose errors count more (fit.hpp): measured, without a minimum this loses less, and with one more.
  static constexpr bool favours_large = Range == symmetric;
  static constexpr float ends[16] = {-4,    -4.12f, -4.24f, -4.38f, -4.55f, -4.75f, -3.92f, -3.82f,
                                     -3.7f, -3.5f,  -3.3f,  -3.1f,  2.95f,  3.08f,  3.22f,  3.9f};
  static constexpr float cuts[4] = {0, -0.02f, 0.03f, 0.07f};
};
static_assert(quantised_format<int3<32>>);

}}  // namespace ctlm
