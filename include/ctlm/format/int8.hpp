// SPDX-License-Identifier: MIT
// ctlm: 8-bit integers: about a quarter of single precision, indistinguishable in quality.
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 8-bit integers. Group is how many numbers of a row share a scale (per_channel: the whole row), Range whether there
/// is a minimum beside it. Symmetric: -127 ... 127 times the scale.
template <std::size_t Group = per_channel, range Range = symmetric>
struct int8 : quantised<int8<Group, Range>, std::int8_t, 8, Group, Range> {
  static constexpr const char* name = "int8";
  static constexpr int lowest = Range == symmetric ? -127 : -128, highest = 127;
  static constexpr float zero = 0;
  static constexpr bool searched = false;  // codes reach from one end of a group to the other: good enough, and quick
  static constexpr bool favours_large = true;  // of their errors, which count more (fit.hpp)
  static constexpr int get_code(const std::int8_t* row, std::size_t i) { return row[i]; }
  static constexpr void set_code(std::int8_t* row, std::size_t i, int code) { row[i] = static_cast<std::int8_t>(code); }
};
static_assert(quantised_format<int8<>> && quantised_format<int8<32, asymmetric>>);

}}  // namespace ctlm
