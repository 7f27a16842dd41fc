// SPDX-License-Identifier: MIT
// ctlm: how a group's scale and minimum are stored: in half precision, or in a byte each.
#pragma once

#include "../core/math.hpp"
#include "float16.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What a group of integers has beside its codes.
enum class range : std::uint8_t {
  symmetric,   ///< a scale alone
  asymmetric,  ///< a scale and a minimum
  compact      ///< a scale and a zero point, of 8 bits each
};
/// A scale alone, in half precision: weights are scale * (code - zero).
inline constexpr range symmetric = range::symmetric;
/// A scale and a minimum, in half precision: weights are scale * code + minimum.
inline constexpr range asymmetric = range::asymmetric;
/// A scale and a zero point of 8 bits each: weights are scale * (code - zero point). Groups can be half as large as
/// asymmetric ones in the same memory, which is worth more than exact scales. For codes of fewer than 8 bits.
inline constexpr range compact = range::compact;

/// Scales and minima in half precision, each for itself.
struct half_scales {
  using element = std::uint16_t;
  static constexpr float least = 0x1p-24f;  ///< positive scale
  static constexpr float rounded(float scale) { return rounded_to_half(scale); }
  /// The minimum that is stored for `base` beside a scale that is rounded already.
  static constexpr float rounded_base(float base, float) { return rounded_to_half(base); }
  static constexpr element of(float scale) { return float_to_half(scale); }
  static constexpr element of_base(float base, float) { return float_to_half(base); }
  static constexpr float scale(element e) { return half_to_float(e); }
  static constexpr float base(element e, float) { return half_to_float(e); }
  /// Whether a scale, or a minimum, is the largest that there is.
  static constexpr bool at_limit(element e) { return (e & 0x7FFF) == 0x7BFF; }
};

/// Scales of 8 bits: 4 bits of precision and no sign, the upper bits of half precision's; from 2^-17 to 61440. A zero
/// point is a part of the codes' range: z / 256 of it lie below zero. So 0 is never farther from a group's numbers than
/// its ends are from each other, and a group without negative numbers begins at 0.
template <std::size_t Bits>
struct byte_scales {
  using element = std::uint8_t;
  static constexpr float least = 0x1p-17f;
  static constexpr std::size_t parts_log2 = 8 - Bits;  ///< of a code, in which zero points are counted: 2^parts_log2
  static constexpr float parts = static_cast<float>(1u << parts_log2);

  static constexpr element of(float scale) {
    const unsigned half = float_to_half(scale);
    if (half > 0x7C00) return 0xFC;  // NaN
    const unsigned nearest = (half + 63 + ((half >> 7) & 1)) >> 7;
    return static_cast<element>(nearest < 0xF7 ? nearest : 0xF7);
  }
  static constexpr float scale(element e) { return half_to_float(static_cast<std::uint16_t>(e << 7)); }
  static constexpr float rounded(float s) { return scale(of(s > 0.0f ? s : 0.0f)); }

  static constexpr element of_base(float base, float scale) {
    const float point = scale > 0.0f ? math::product(-base / scale, parts) : 0.0f;
    return static_cast<element>(point < 255.0f ? (point > 0.0f ? point + 0.5f : 0.0f) : 255.0f);
  }
  static constexpr float base(element e, float scale) { return scale * (static_cast<float>(e) / -parts); }
  static constexpr float rounded_base(float b, float s) { return base(of_base(b, s), s); }
  static constexpr bool at_limit(element e) { return e == 0xF7; }
};

/// How the scales of groups of this kind are stored, of codes of Bits bits.
template <range Range, std::size_t Bits>
struct scales_of_range {
  using type = half_scales;
};
template <std::size_t Bits>
struct scales_of_range<range::compact, Bits> {
  static_assert(Bits < 8, "ctlm: compact groups are for codes of fewer than 8 bits: int8 has symmetric and asymmetric");
  using type = byte_scales<Bits>;
};

}}  // namespace ctlm
