// SPDX-License-Identifier: MIT
// ctlm: what the codes of a group of integers stand for.
#pragma once

#include "group_scale.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// w = scale * code + base, both as they are stored (F::scale_format). F says which codes there are: lowest, highest,
/// zero (the code, possibly between two, that means 0 in a symmetric group) and has_min (asymmetric).
template <class F>
struct affine {
  /// How many codes there are above the lowest.
  static constexpr float steps = static_cast<float>(F::highest - F::lowest);
  /// The lowest code as it is multiplied by the scale: in a symmetric group, its distance from zero.
  static constexpr float lowest = static_cast<float>(F::lowest) - (F::has_min ? 0.0f : F::zero);
  /// The highest code, likewise.
  static constexpr float highest = lowest + steps;

  float scale = 0;    ///< as it is stored; may be negative where that has a sign
  float base = 0;     ///< the number whose code is 0: the stored minimum, or -zero * scale
  float inverse = 0;  ///< 1 / scale, or 0

  constexpr affine() = default;
  /// Rounds scale and base, which are no NaN, to what can be stored. A symmetric group ignores the base.
  constexpr affine(float s, float b)
      : scale(F::scale_format::rounded(s)),
        base(F::has_min ? F::scale_format::rounded_base(b, scale) : -F::zero * scale),
        inverse(inverse_of(scale)) {}
  /// Of a group that holds a NaN or an infinity: whatever its codes are, its numbers are NaN.
  static constexpr affine not_finite() {
    affine a;
    a.scale = a.base = std::numeric_limits<float>::quiet_NaN();
    return a;
  }

  /// How far the code of w is above the lowest: the nearest; any for NaN. Numbers that are not negative compare as
  /// their bits do, and cutting off integers is no branch: loops over it become vectors.
  static constexpr int step(float w, float base, float inverse) {
    constexpr auto most = std::bit_cast<std::int32_t>(steps + 0.5f);
    const float above = math::product(F::has_min ? w - base : w, inverse) + (0.5f - lowest);
    const std::int32_t bits = std::bit_cast<std::int32_t>(above);
    const std::int32_t positive = bits & ~(bits >> 31), beyond = positive - most;
    return static_cast<int>(std::bit_cast<float>(most + (beyond & (beyond >> 31))));
  }
  /// What is missing between w and what a step stands for. Products of a code and a scale have few enough bits to be
  /// exact, so that it does not matter whether they are rounded before something is added.
  static constexpr float missing(float w, int step, float scale, float base) {
    const float code = static_cast<float>(step) + lowest;
    return F::has_min ? code * scale + base - w : code * scale - w;
  }

  /// 1 / scale, and 0 where that is 0: 1 / infinity, without a branch.
  static constexpr float inverse_of(float scale) {
    const std::int32_t bits = std::bit_cast<std::int32_t>(scale), is_zero = ((bits & 0x7FFFFFFF) - 1) >> 31;
    return 1.0f / std::bit_cast<float>(bits | (is_zero & 0x7F800000));
  }

  /// The nearest code.
  constexpr int code(float w) const { return F::lowest + step(w, base, inverse); }
  /// What is missing between w and what its code stands for.
  constexpr float missing(float w) const { return missing(w, step(w, base, inverse), scale, base); }
};

}}  // namespace ctlm
