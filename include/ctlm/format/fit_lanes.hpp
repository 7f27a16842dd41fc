// SPDX-License-Identifier: MIT
// ctlm: the search for a group's scale (fit.hpp) in the processor's registers: sixteen numbers, or sixteen candidates,
// at once. The operations on each number are those of fit_search.hpp in the same order, and so are the bits.
#pragma once

#include "lanes.hpp"

#if CTLM_FIT_WIDTH > 0
namespace ctlm { inline namespace CTLM_ABI { namespace fit_detail {

/// The functions of one number that are known by these names, of all lanes.
CTLM_INLINE numbers product(const numbers& a, const numbers& b) {
  return ((a * b).bits() & integers::all(~1)).number_of_bits();
}
CTLM_INLINE integers ordered(const integers& bits) {
  return bits ^ ((bits >> 31) & integers::all(std::numeric_limits<std::int32_t>::max()));
}
CTLM_INLINE numbers inverse_of(const numbers& scale) {
  const integers bits = scale.bits();
  const integers is_zero = ((bits & integers::all(0x7FFFFFFF)) - integers::all(1)) >> 31;
  return numbers::all(1.0f) / (bits | (is_zero & integers::all(0x7F800000))).number_of_bits();
}
CTLM_INLINE numbers rounded_to_half(const numbers& f) {
  const integers bits = f.bits();
  const integers magnitude = lesser(bits & integers::all(0x7FFFFFFF), integers::all(0x477FE000));
  const integers normal =
      (magnitude + integers::all(0xFFF) + ((magnitude >> 13) & integers::all(1))) & integers::all(~0x1FFF);
  const numbers aligned = magnitude.number_of_bits() + numbers::all(0.5f);
  const numbers multiple = (aligned.bits() - integers::all(0x3F000000)).number();
  const integers small = (multiple * numbers::all(0x1p-24f)).bits();
  const integers rounded = select(less(magnitude, integers::all(0x38800000)), small, normal);
  return (rounded | (bits & integers::all(std::numeric_limits<std::int32_t>::min()))).number_of_bits();
}
template <class F>
CTLM_INLINE integers step_of(const numbers& w, const numbers& base, const numbers& inverse) {
  constexpr auto most = std::bit_cast<std::int32_t>(affine<F>::steps + 0.5f);
  const numbers above = product(F::has_min ? w - base : w, inverse) + numbers::all(0.5f - affine<F>::lowest);
  const integers positive = greater(above.bits(), integers::all(0));
  return lesser(positive, integers::all(most)).number_of_bits().truncated();
}
template <class F>
CTLM_INLINE numbers missing_of(const numbers& w, const numbers& scale, const numbers& base, const numbers& inverse) {
  const numbers code = step_of<F>(w, base, inverse).number() + numbers::all(affine<F>::lowest);
  return F::has_min ? code * scale + base - w : code * scale - w;
}

/// A group of whole lanes: n is a multiple of fit_lanes, and not 0.
struct group_in_lanes : group {
  CTLM_INLINE numbers at(std::size_t i) const { return numbers::load(w + i); }
  /// How much errors of numbers [i, i + fit_lanes) count.
  CTLM_INLINE numbers counts(std::size_t i) const {
    return importance != nullptr ? numbers::load(importance + i)
           : favours_large       ? product(at(i), at(i))
                                 : numbers::all(1.0f);
  }
  /// The same of [first, first + size), at most fit_piece, one after the other: where they lie, or in the buffer.
  CTLM_INLINE const float* counts(std::size_t first, std::size_t size, float* buffer) const {
    if (importance != nullptr) return importance + first;
    for (std::size_t i = 0; i < size; i += fit_lanes) counts(first + i).store(buffer + i);
    return buffer;
  }
};

CTLM_INLINE extremes extremes_of(const group_in_lanes& g) {
  integers low = ordered(g.at(0).bits()), high = low;
  for (std::size_t i = fit_lanes; i < g.n; i += fit_lanes) {
    const integers x = ordered(g.at(i).bits());
    low = lesser(low, x);
    high = greater(high, x);
  }
  return {std::bit_cast<float>(ordered(least_of(low))) + 0.0f, std::bit_cast<float>(ordered(greatest_of(high))) + 0.0f};
}

/// Sixteen numbers that depend on the lane.
struct lane_table {
  float of[fit_lanes]{};
  template <class Number>
  constexpr explicit lane_table(Number&& number) {
    for (std::size_t c = 0; c < fit_lanes; ++c) of[c] = number(c);
  }
  CTLM_INLINE numbers load() const { return numbers::load(of); }
};

/// Candidates (fit_search.hpp), each in a lane.
template <class F>
struct candidate_lanes {
  numbers scale, base, inverse;

  CTLM_INLINE candidate_lanes(const extremes& e, float more) {
    base = numbers::all(0);
    if constexpr (F::compact)
      place_among(e, more);
    else
      reach(e, more);
    inverse = inverse_of(scale);
  }
  /// These scales of a symmetric group.
  CTLM_INLINE explicit candidate_lanes(const float (&scales)[fit_lanes])
      : scale(rounded_to_half(numbers::load(scales))), base(numbers::all(0)), inverse(inverse_of(scale)) {}

  /// The one with the least weighted error; the first of those that have none.
  CTLM_INLINE judged<F> best(const group_in_lanes& g) const {
    numbers error = numbers::all(0);
    float buffer[fit_piece];
    for (std::size_t first = 0; first < g.n; first += fit_piece) {
      const std::size_t size = smaller(fit_piece, g.n - first);
      const float *const w = g.w + first, *const counts = g.counts(first, size, buffer);
      numbers sum = numbers::all(0);
      for (std::size_t i = 0; i < size; ++i) {
        const numbers d = missing_of<F>(numbers::all(w[i]), scale, base, inverse);
        sum = sum + product(product(d, d), numbers::all(counts[i]));
      }
      error = error + sum;
    }
    return chosen(error);
  }

 private:
  CTLM_INLINE void reach(const extremes& e, float more) {
    if constexpr (F::has_min) {
      static constexpr lane_table lows([](std::size_t c) { return F::cuts[c % 4]; });
      static constexpr lane_table highs([](std::size_t c) { return F::cuts[c / 4]; });
      const numbers low = lows.load() + numbers::all(more), high = highs.load() + numbers::all(more);
      const numbers width = numbers::all(math::min(e.high - e.low, 0.5f * std::numeric_limits<float>::max()));
      scale = product(width, numbers::all(1.0f) - low - high) / numbers::all(affine<F>::steps);
      base = numbers::all(e.low) + product(low, width) - product(scale, numbers::all(static_cast<float>(F::lowest)));
      base = rounded_to_half(base);
    } else {
      static constexpr lane_table ends([](std::size_t c) { return F::ends[c]; });
      scale = numbers::all(e.farthest()) / (ends.load() / numbers::all(1.0f - more));
    }
    scale = rounded_to_half(scale);
  }
  CTLM_INLINE void place_among(const extremes& e, float more) {
    static constexpr lane_table fourths([](std::size_t c) { return static_cast<float>(c % 4); });
    static constexpr lane_table ways([](std::size_t c) {
      const std::size_t way = c / 4;
      return static_cast<float>(way) / 3.0f;
    });
    const float width = width_with_zero(e);
    const numbers from = numbers::all(static_cast<float>(first_among<F>(width, more))) + fourths.load();
    const integers code = lesser(greater(from.truncated(), integers::all(0)), integers::all(0xF7));
    // Half precision's upper bits: those of single precision with another exponent, or multiples of the least number.
    scale = select(less(code, integers::all(8)), code.number() * numbers::all(0x1p-17f),
                   ((code << 20) + integers::all(0x38000000)).number_of_bits());
    const numbers beyond = product(scale, numbers::all(affine<F>::steps)) - numbers::all(width);
    base = numbers::all(math::min(e.low, 0.0f)) - product(beyond, ways.load());
    // As byte_scales rounds it.
    const numbers zero = numbers::all(0), parts = numbers::all(F::scale_format::parts), most = numbers::all(255.0f);
    const numbers point = select(less(zero, scale), product((zero - base) / scale, parts), zero);
    const numbers cut = select(less(point, most), select(less(zero, point), point + numbers::all(0.5f), zero), most);
    base = scale * (cut.truncated().number() / (zero - parts));
  }

  /// The first candidate with the least error that is a number; candidate 0 if its own is none.
  CTLM_INLINE judged<F> chosen(const numbers& error) const {
    static constexpr lane_table lane([](std::size_t c) { return static_cast<float>(c); });
    constexpr auto most = std::numeric_limits<std::int32_t>::max();
    const integers which = lane.load().truncated();
    const integers of_none = (((integers::all(0) - which) >> 31) & integers::all(most)) |
                             (equal(which, integers::all(0)) & integers::all(-most));
    const integers key = select(equal(error, error), ordered(error.bits()), of_none);
    const integers is_least = equal(key, integers::all(least_of(key)));
    const auto c = static_cast<std::size_t>(least_of(select(is_least, which, integers::all(fit_lanes))));
    float scales[fit_lanes], bases[fit_lanes], inverses[fit_lanes], errors[fit_lanes];
    scale.store(scales);
    base.store(bases);
    inverse.store(inverses);
    error.store(errors);
    judged<F> to;
    to.a.scale = scales[c];
    to.a.base = F::has_min ? bases[c] : -F::zero * scales[c];
    to.a.inverse = inverses[c];
    to.error = errors[c];
    return to;
  }
};

template <class F>
CTLM_INLINE judged<F> best_candidate(const group_in_lanes& g, const extremes& e, float more) {
  return candidate_lanes<F>(e, more).best(g);
}
template <class F>
CTLM_INLINE judged<F> best_candidate(const group_in_lanes& g, const float (&scales)[fit_lanes]) {
  return candidate_lanes<F>(scales).best(g);
}

template <class F>
CTLM_INLINE float error_of(const affine<F>& a, const group_in_lanes& g) {
  const numbers scale = numbers::all(a.scale), base = numbers::all(a.base), inverse = numbers::all(a.inverse);
  numbers error = numbers::all(0);
  for (std::size_t i = 0; i < g.n; i += fit_lanes) {
    const numbers d = missing_of<F>(g.at(i), scale, base, inverse);
    error = error + product(product(d, d), g.counts(i));
  }
  return sum_of(error);
}

template <class F>
CTLM_INLINE affine<F> refitted(const affine<F>& a, const group_in_lanes& g) {
  const numbers base = numbers::all(a.base), inverse = numbers::all(a.inverse);
  constexpr std::size_t count = F::has_min ? 5 : 2;
  numbers s[count];
  for (auto& x : s) x = numbers::all(0);
  for (std::size_t i = 0; i < g.n; i += fit_lanes) {
    const numbers w = g.at(i), counts = g.counts(i);
    const numbers code = step_of<F>(w, base, inverse).number() + numbers::all(affine<F>::lowest);
    const numbers k = product(counts, code);
    if constexpr (F::has_min) {
      s[0] = s[0] + counts;
      s[1] = s[1] + k;
      s[2] = s[2] + product(counts, w);
    }
    s[count - 2] = s[count - 2] + product(k, code);
    s[count - 1] = s[count - 1] + product(k, w);
  }
  const float kcc = sum_of(s[count - 2]), kcw = sum_of(s[count - 1]);
  if constexpr (F::has_min) {
    const float k = sum_of(s[0]), kc = sum_of(s[1]), kw = sum_of(s[2]);
    const float spread = math::product(k, kcc) - math::product(kc, kc);
    if (!(spread > 0.0f)) return a;
    float scale = (math::product(k, kcw) - math::product(kc, kw)) / spread;
    if constexpr (F::compact) scale = F::scale_format::rounded(scale);
    return {scale, (kw - math::product(scale, kc)) / k};
  } else {
    return kcc > 0.0f ? affine<F>(kcw / kcc, 0) : a;
  }
}

/// The codes of n numbers, a multiple of fit_lanes, with `offset` added, a byte each. A function of its own: where the
/// length of a row is known, GCC 12 would warn of groups that it cannot have.
template <class F>
CTLM_NOINLINE void write_codes(const affine<F>& a, const float* w, std::size_t n, int offset, std::uint8_t* to) {
  const numbers base = numbers::all(a.base), inverse = numbers::all(a.inverse);
  for (std::size_t i = 0; i < n; i += fit_lanes)
    store_bytes(step_of<F>(numbers::load(w + i), base, inverse) + integers::all(F::lowest + offset), to + i);
}

}}}  // namespace ctlm::fit_detail
#endif
