// SPDX-License-Identifier: MIT
// ctlm: the search for a group's scale (fit.hpp), number by number: what every processor and the compiler itself can
// do, and the reference for fit_lanes.hpp.
#pragma once

#include "affine.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Candidates that are tried at once, and parts that a sum over a group is made of.
inline constexpr std::size_t fit_lanes = 16;

namespace fit_detail {

/// The smallest and the largest of a group.
struct extremes {
  float low, high;
  constexpr float farthest() const { return -low > high ? low : high; }
  constexpr bool finite() const { return math::isfinite(low) && math::isfinite(high); }
};

/// The bits of a number as an integer that compares as the numbers do, NaN beyond the infinities; its own inverse.
constexpr std::int32_t ordered(std::int32_t bits) {
  return bits ^ static_cast<std::int32_t>(static_cast<std::uint32_t>(bits >> 31) >> 1);
}

constexpr extremes extremes_of(const float* w, std::size_t n) {
  std::int32_t low = std::numeric_limits<std::int32_t>::max(), high = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t x = ordered(std::bit_cast<std::int32_t>(w[i]));
    low = x < low ? x : low;
    high = x > high ? x : high;
  }
  // + 0 makes 0 of -0
  return {std::bit_cast<float>(ordered(low)) + 0.0f, std::bit_cast<float>(ordered(high)) + 0.0f};
}

/// The scale and the minimum, before they are rounded, with which a symmetric group's farthest number falls on the code
/// `end`, counted from zero, or an asymmetric group's width is cut by the parts `low` and `high` at its ends.
template <class F>
constexpr void reach(const extremes& e, float end, float low, float high, float& scale, float& base) {
  if constexpr (F::has_min) {
    const float width = math::min(e.high - e.low, 0.5f * std::numeric_limits<float>::max());
    scale = math::product(width, 1.0f - low - high) / affine<F>::steps;
    base = e.low + math::product(low, width) - math::product(scale, static_cast<float>(F::lowest));
  } else {
    scale = e.farthest() / end;
    base = 0;
  }
}

/// How far a group's numbers, and zero, are apart.
constexpr float width_with_zero(const extremes& e) {
  return math::min(math::max(e.high, 0.0f) - math::min(e.low, 0.0f), 0.5f * std::numeric_limits<float>::max());
}
/// Of compact groups: the first of four scales that are tried, as it is stored; or less than 0.
template <class F>
constexpr int first_among(float width, float more) {
  constexpr int smallest = F::bits <= 4 ? 5 - static_cast<int>(F::bits) : 1;  // of few codes, more is cut off
  return F::scale_format::of(math::product(width, 1.0f - more) / affine<F>::steps) - smallest;
}
/// Of compact groups: four of the few scales that there are, about that with which the codes reach from end to end, or
/// over a part `more` less; each with four ways to lie: from the low end to the high one.
template <class F>
constexpr void place_among(const extremes& e, std::size_t c, float more, float& scale, float& base) {
  const float width = width_with_zero(e);
  const int code = first_among<F>(width, more) + static_cast<int>(c % 4);
  const std::size_t way = c / 4;
  scale = F::scale_format::scale(static_cast<std::uint8_t>(code < 0 ? 0 : code > 0xF7 ? 0xF7 : code));
  const float beyond = math::product(scale, affine<F>::steps) - width;
  base = math::min(e.low, 0.0f) - math::product(beyond, static_cast<float>(way) / 3.0f);
}

/// Numbers whose weights are computed at once.
inline constexpr std::size_t fit_piece = 64;

/// A group of numbers, and how much errors of each count.
struct group {
  const float* w;
  const float* importance;  // of the columns' inputs; or nullptr
  std::size_t n;
  bool favours_large;  // without importance: errors of large weights count more

  /// f(numbers, how much errors of them count, how many) for pieces of the group, all but the last of them fit_piece.
  template <class F>
  constexpr void for_each_piece(F&& f) const {
    float counts[fit_piece]{};
    for (std::size_t first = 0; first < n; first += fit_piece) {
      const std::size_t size = smaller(fit_piece, n - first);
      weigh(first, size, counts);
      f(w + first, static_cast<const float*>(counts), size);
    }
  }

 private:
  /// How much errors of numbers [first, first + size) count.
  CTLM_NOINLINE constexpr void weigh(std::size_t first, std::size_t size, float* counts) const {
    for (std::size_t i = 0; i < size; ++i) {
      const float x = w[first + i];
      counts[i] = importance != nullptr ? importance[first + i] : favours_large ? math::product(x, x) : 1.0f;
    }
  }
};

/// Sums over a group of the N numbers that term(w, how much it counts, numbers) writes, in a fixed order: sixteen
/// parts, then halves of them.
template <std::size_t N>
struct sums {
  float part[N][fit_lanes]{};

  template <class Term>
  constexpr sums(const group& g, Term&& term) {
    g.for_each_piece([&](const float* w, const float* counts, std::size_t n) {
      std::size_t i = 0;
      for (; i + fit_lanes <= n; i += fit_lanes)
        for (std::size_t lane = 0; lane < fit_lanes; ++lane) add(term, w[i + lane], counts[i + lane], lane);
      for (std::size_t lane = 0; i + lane < n; ++lane) add(term, w[i + lane], counts[i + lane], lane);
    });
    for (std::size_t half = fit_lanes / 2; half > 0; half /= 2)
      for (std::size_t k = 0; k < N; ++k)
        for (std::size_t lane = 0; lane < half; ++lane) part[k][lane] += part[k][lane + half];
  }
  constexpr float operator[](std::size_t k) const { return part[k][0]; }

 private:
  template <class Term>
  constexpr void add(Term& term, float w, float counts, std::size_t lane) {
    float numbers[N]{};
    term(w, counts, numbers);
    for (std::size_t k = 0; k < N; ++k) part[k][lane] += numbers[k];
  }
};

/// The weighted error of a group.
template <class F>
CTLM_NOINLINE constexpr float error_of(const affine<F>& a, const group& g) {
  return sums<1>(g, [&](float w, float counts, float* error) {
    const float d = a.missing(w);
    error[0] = math::product(math::product(d, d), counts);
  })[0];
}

/// A scale (and minimum), and the weighted error that it leads to.
template <class F>
struct judged {
  affine<F> a;
  float error;
};

/// Sixteen scales (and minima) that a group might get: those of F::ends, or of all pairs of the four F::cuts. A part
/// `more` of its width is cut off beyond that: where the farthest numbers meet small inputs, they hardly count.
template <class F>
struct candidates {
  float scale[fit_lanes]{}, base[fit_lanes]{}, inverse[fit_lanes]{};

  constexpr explicit candidates(const extremes& e, float more = 0) {
    for (std::size_t c = 0; c < fit_lanes; ++c) {
      float s = 0, b = 0;
      if constexpr (F::compact)
        place_among<F>(e, c, more, s, b);
      else
        reach<F>(e, F::ends[c] / (1.0f - more), F::cuts[c % 4] + more, F::cuts[c / 4] + more, s, b);
      scale[c] = F::scale_format::rounded(s);
      base[c] = F::scale_format::rounded_base(b, scale[c]);
      inverse[c] = affine<F>::inverse_of(scale[c]);
    }
  }

  /// These scales of a symmetric group.
  constexpr explicit candidates(const float (&scales)[fit_lanes]) {
    for (std::size_t c = 0; c < fit_lanes; ++c) {
      scale[c] = rounded_to_half(scales[c]);
      inverse[c] = affine<F>::inverse_of(scale[c]);
    }
  }

  /// The one with the least weighted error; the first of those that have none.
  constexpr judged<F> best(const group& g) const {
    float error[fit_lanes]{};
    g.for_each_piece([&](const float* w, const float* counts, std::size_t n) { add_errors(w, counts, n, error); });
    std::size_t least = 0;
    for (std::size_t c = 1; c < fit_lanes; ++c)
      if (error[c] < error[least]) least = c;
    return {affine<F>(scale[least], base[least]), error[least]};
  }

 private:
  /// Adds up the errors of n numbers: a function of its own, so that compilers see nothing but the loops.
  constexpr CTLM_NOINLINE void add_errors(const float* w, const float* counts, std::size_t n, float* error) const {
    float sum[fit_lanes]{};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t c = 0; c < fit_lanes; ++c) {
        const int step = affine<F>::step(w[i], base[c], inverse[c]);
        const float d = affine<F>::missing(w[i], step, scale[c], base[c]);
        sum[c] += math::product(math::product(d, d), counts[i]);
      }
    for (std::size_t c = 0; c < fit_lanes; ++c) error[c] += sum[c];
  }
};

/// The best of these scales of a symmetric group.
template <class F>
CTLM_INLINE constexpr judged<F> best_candidate(const group& g, const float (&scales)[fit_lanes]) {
  return candidates<F>(scales).best(g);
}

/// The scale (and minimum) with the least weighted error for the codes that `a` leads to.
template <class F>
constexpr affine<F> refitted(const affine<F>& a, const group& g) {
  if constexpr (F::has_min) {
    const sums<5> s(g, [&](float w, float counts, float* to) {
      const float code = static_cast<float>(a.code(w)), k = math::product(counts, code);
      to[0] = counts;
      to[1] = k;
      to[2] = math::product(counts, w);
      to[3] = math::product(k, code);
      to[4] = math::product(k, w);
    });
    const float spread = math::product(s[0], s[3]) - math::product(s[1], s[1]);
    if (!(spread > 0.0f)) return a;
    float scale = (math::product(s[0], s[4]) - math::product(s[1], s[2])) / spread;
    if constexpr (F::compact) scale = F::scale_format::rounded(scale);  // which the minimum then makes the best of
    return {scale, (s[2] - math::product(scale, s[1])) / s[0]};
  } else {
    const sums<2> s(g, [&](float w, float counts, float* to) {
      const float code = static_cast<float>(a.code(w)) - F::zero, k = math::product(counts, code);
      to[0] = math::product(k, code);
      to[1] = math::product(k, w);
    });
    return s[0] > 0.0f ? affine<F>(s[1] / s[0], 0) : a;
  }
}

/// For a group whose scale is smaller than the least number that a scale can be: with that number as the scale, the
/// group's larger numbers do not become zero. Chosen only if its error is less than that of a scale of zero.
template <class F>
CTLM_NOINLINE constexpr affine<F> least_affine(const affine<F>& none, const extremes& e, const group& g) {
  constexpr float least = F::scale_format::least;
  if (F::has_min && e.low == e.high) return none;
  const affine<F> a(least, e.low - least * static_cast<float>(F::lowest));
  float more = 0;  // what the squared error of `none` is more than that of `a`
  for (std::size_t i = 0; i < g.n; ++i) {
    const float d = none.missing(g.w[i]), b = a.missing(g.w[i]);
    more += math::product(d, d) - math::product(b, b);
  }
  return more > 0 ? a : none;
}

}  // namespace fit_detail
}}  // namespace ctlm
