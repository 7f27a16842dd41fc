// SPDX-License-Identifier: MIT
// ctlm: 2-bit integers: four levels. The symmetric ones are -1.5 s, -0.5 s, 0.5 s and 1.5 s. Rounding a finished model
// to them destroys it: they are for models that were trained for it (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 2-bit integers: four levels, the symmetric ones being -1.5, -0.5, 0.5 and 1.5 times the scale. Group is how many
/// numbers of a row share a scale (per_channel: the whole row), Range whether there is a minimum beside it.
/// Rounded to two bits, a finished model writes nonsense: use them with trained_for<int2<...>>.
template <std::size_t Group = 32, range Range = symmetric>
struct int2 : quantised<int2<Group, Range>, std::uint8_t, 2, Group, Range>, packed_codes<2> {
  static constexpr const char* name = "int2";
  static constexpr int lowest = 0, highest = 3;
  static constexpr float zero = 1.5f;
  // Scales to try (fit.hpp): which numbers were best for weights of real models, with room for other groups.
  static constexpr bool searched = true;
  static constexpr bool favours_large = false;  // of their errors, which count more (fit.hpp)
  static constexpr float ends[16] = {1.5f,  1.33f, 1.4f,  1.6f, 1.65f, 1.7f, 1.75f, 1.8f,
                                     1.85f, 1.9f,  1.95f, 2.0f, 2.1f,  2.2f, 2.4f,  2.7f};
  static constexpr float cuts[4] = {0, -0.03f, 0.07f, 0.13f};
};
static_assert(quantised_format<int2<32>>);

}}  // namespace ctlm
