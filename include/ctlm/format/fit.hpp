// SPDX-License-Identifier: MIT
// ctlm: how a group of numbers becomes integers: the scale (and minimum) with the least squared error.
#pragma once

#include "../core/math.hpp"
#include "float16.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// w = scale * code + base, both rounded to half precision, which is what is stored. F says which codes there are:
/// lowest, highest, zero (the code, possibly between two, that means 0 in a symmetric group), has_min (asymmetric) and
/// clips (how many clip ratios are tried).
template <class F>
struct affine {
  float scale = 0, base = 0, inverse = 0;

  constexpr affine() = default;
  constexpr affine(float s, float b) {
    scale = half_to_float(float_to_half(clamp_to_half(s)));  // NaN stays NaN
    base = F::has_min ? half_to_float(float_to_half(clamp_to_half(b))) : -F::zero * scale;
    inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  }
  /// Of a group that holds a NaN or an infinity: whatever its codes are, its numbers are NaN.
  static constexpr affine not_finite() {
    return {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::quiet_NaN()};
  }
  /// The nearest code; the lowest for what has none.
  constexpr int code(float w) const {
    const float c = (w - base) * inverse;
    if (!(c > static_cast<float>(F::lowest))) return F::lowest;
    if (c > static_cast<float>(F::highest)) return F::highest;
    return static_cast<int>(c + (c < 0.0f ? -0.5f : 0.5f));
  }
  constexpr float error(const float* w, std::size_t n) const {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const float d = static_cast<float>(code(w[i])) * scale + base - w[i];
      sum += d * d;
    }
    return sum;
  }

 private:
  static constexpr float clamp_to_half(float x) { return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x; }
};

/// The range [low, high], cut down to a part of itself.
template <class F>
constexpr affine<F> clipped(float low, float high, float ratio) {
  constexpr float levels = static_cast<float>(F::highest - F::lowest);
  if constexpr (F::has_min) {
    const float width = math::min(high - low, std::numeric_limits<float>::max());
    const float scale = ratio * width / levels;
    const float start = low + 0.5f * (1.0f - ratio) * width;
    return {scale, start - scale * static_cast<float>(F::lowest)};
  } else {
    const float extreme = -low > high ? -low : high;
    return {ratio * extreme / (static_cast<float>(F::highest) - F::zero), 0};
  }
}

/// For a group whose scale is smaller than half precision's least number: with that number as the scale, the group's
/// larger numbers do not become zero. Chosen only if its error is less than that of a scale of zero.
template <class F>
constexpr affine<F> least_affine(const affine<F>& none, float low, float high, const float* w, std::size_t n) {
  constexpr float least = 0x1p-24f;
  if (F::has_min && low == high) return none;
  const affine<F> a(least, low - least * static_cast<float>(F::lowest));
  return a.error(w, n) < none.error(w, n) ? a : none;
}

/// Tries clip ratios from 1 downwards and keeps the one with the least squared error: cutting off a few extreme weights
/// lets the codes of all others lie closer together. A group that holds a NaN or an infinity is NaN as a whole.
template <class F>
constexpr affine<F> best_affine(const float* w, std::size_t n) {
  float low = w[0], high = w[0];
  std::uint32_t largest = math::magnitude_bits(w[0]);
  for (std::size_t i = 1; i < n; ++i) {
    low = w[i] < low ? w[i] : low;
    high = w[i] > high ? w[i] : high;
    const std::uint32_t bits = math::magnitude_bits(w[i]);
    largest = bits > largest ? bits : largest;
  }
  if (largest >= math::infinite_bits<float>) return affine<F>::not_finite();
  affine<F> best = clipped<F>(low, high, 1.0f);
  if constexpr (F::clips > 1) {
    float least = best.error(w, n);
    auto offer = [&](const affine<F>& a) {
      const float e = a.error(w, n);
      if (e < least) {
        least = e;
        best = a;
      }
    };
    for (int i = 1; i < F::clips; ++i) offer(clipped<F>(low, high, 1.0f - 0.05f * static_cast<float>(i)));
    if constexpr (!F::has_min) {  // there is one more code below zero than above: let the extreme weight have it
      const float extreme = -low > high ? low : high;
      for (int i = 0; i < F::clips; ++i)
        offer({(1.0f - 0.05f * static_cast<float>(i)) * extreme / (static_cast<float>(F::lowest) - F::zero), 0});
    }
  }
  return best.scale != 0.0f || largest == 0 ? best : least_affine(best, low, high, w, n);
}

}}  // namespace ctlm
