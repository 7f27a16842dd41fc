// SPDX-License-Identifier: MIT
// ctlm: 4-bit integers: with groups of 32 about a seventh of single precision. What rounding to them costs depends on
// the model, and more with large groups; an asymmetric group costs about half as much (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// 4-bit integers: 16 levels. Group is how many numbers of a row share a scale (per_channel: the whole row), Range
/// whether there is a minimum beside it.
template <std::size_t Group = 32, range Range = symmetric>
struct int4 : quantised<int4<Group, Range>, std::uint8_t, 4, Group, Range> {
  static constexpr const char* name = "int4";
  static constexpr int lowest = 0, highest = 15;
  static constexpr float zero = 8;
  // Scales to try (fit.hpp): which numbers were best for weights of real models, with room for other groups.
  static constexpr bool searched = true;
  static constexpr bool favours_large = true;  // of their errors, which count more (fit.hpp)
  static constexpr float ends[] = {-8,    -8.12f, -8.25f, -8.4f, -8.6f, -7.88f, -7.75f, -7.6f,
                                   -7.3f, -7.1f,  -6.95f, -6.1f, 7.3f,  7.1f,   6.95f,  6.1f};
  static constexpr float cuts[] = {0, -0.02f, 0.03f, 0.06f};
  static constexpr std::size_t planes = 2, plane = code_chunk / planes;
  static constexpr int get_code(const std::uint8_t* row, std::size_t i) {
    const std::size_t j = i % code_chunk;
    return (row[i / code_chunk * plane + j % plane] >> (4 * (j / plane))) & 15;
  }
  static constexpr void set_code(std::uint8_t* row, std::size_t i, int code) {
    const std::size_t j = i % code_chunk, shift = 4 * (j / plane);
    std::uint8_t& byte = row[i / code_chunk * plane + j % plane];
    byte = static_cast<std::uint8_t>((byte & ~(15u << shift)) | (static_cast<unsigned>(code) << shift));
  }
};
static_assert(quantised_format<int4<32>>);

}}  // namespace ctlm
