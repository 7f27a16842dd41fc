// SPDX-License-Identifier: MIT
// ctlm: three levels, -s, 0 and s, for models made for them (BitNet b1.58: Ma et al. 2024, "The Era of 1-bit LLMs").
// Rounding any other model to them destroys it; train for them (docs/quantisation.md).
#pragma once

#include "quantised.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Three levels: -1, 0 and 1 times the scale, in 2 bits each. Group is how many numbers of a row share a scale
/// (per_channel: the whole row). Numbers that are -s, 0 or s already, where half precision holds s, come back exactly.
/// Use it with trained_for<ternary<...>>, or for weights that were trained to be ternary.
template <std::size_t Group = per_channel>
struct ternary : quantised<ternary<Group>, std::uint8_t, 2, Group, symmetric>, packed_codes<2> {
  static constexpr const char* name = "ternary";
  static constexpr int lowest = 0, highest = 2;
  static constexpr float zero = 1;
  static constexpr bool searched = true;
  static constexpr bool favours_large = false;  // of their errors, which count more (fit.hpp)

  /// The scale of a group: first the best of multiples of the mean magnitude (once that is BitNet's rule) and of the
  /// largest number, then that which suits the codes best, again and again while it helps.
  template <class Numbers>
  static constexpr affine<ternary> fit(const Numbers& g, const fit_detail::extremes& e) {
    const float largest = math::max(-e.low, e.high), mean = mean_magnitude(g, largest);
    float scales[fit_lanes]{};
    for (std::size_t c = 0; c + 1 < fit_lanes; ++c) scales[c] = math::product(mean, multiples[c]);
    scales[fit_lanes - 1] = largest;
    auto best = fit_detail::best_candidate<ternary>(g, scales);
    for (int i = 0; i < 8 && best.error > 0; ++i) {
      const auto again = fit_detail::refitted(best.a, g);
      const float error = fit_detail::error_of(again, g);
      if (!(error < best.error)) break;
      best = {again, error};
    }
    return best.a;
  }

 private:
  static constexpr float multiples[fit_lanes - 1] = {1,    1.1f, 1.2f, 1.3f, 1.4f, 1.5f, 1.6f, 1.7f,
                                                     1.8f, 2,    2.3f, 2.7f, 3.2f, 4,    5.5f};

  /// Without a sum that overflows: of numbers divided by the largest.
  static constexpr float mean_magnitude(const fit_detail::group& g, float largest) {
    if (largest < 0x1p-100f) return largest;  // whose inverse may overflow
    const float inverse = affine<ternary>::inverse_of(largest);
    const fit_detail::sums<1> s(g,
                                [&](float w, float, float* to) { to[0] = math::product(w < 0.0f ? -w : w, inverse); });
    return math::product(s[0] / static_cast<float>(g.n), largest);
  }
};
static_assert(quantised_format<ternary<>>);

}}  // namespace ctlm
