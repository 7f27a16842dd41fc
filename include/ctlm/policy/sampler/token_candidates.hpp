// SPDX-License-Identifier: MIT
// ctlm: what rules of sampling have left of a vocabulary. Every rule keeps the tokens whose logits lie in an interval,
// equals together; so two numbers say which are left. What a rule asks, such as which logit the fifth largest is, or
// from which one on the tokens hold 0.95 of the probability, is found by counting and adding up at eight levels in one
// pass over the logits, and again between two of them. As soon as few tokens are left in question, these few are copied
// and everything else is done with them.
//
// Loops run over sixteen lanes, in one order for all backends, and no product is merged with an addition
// (math::product): so every backend and every build draws the same tokens.
#pragma once

#include "../../core/result.hpp"
#include "../../core/rng.hpp"
#include "../../core/span.hpp"
#include "../../kernels/primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace sampling_detail {

/// Numbers that are looked at together.
inline constexpr std::size_t piece = 256;

/// Numbers in the order of their bits: an integer for each, larger for a larger number.
template <math::real T>
constexpr typename math::ieee<T>::bits order_of(T x) {
  using bits = typename math::ieee<T>::bits;
  constexpr bits sign = ~(~bits(0) >> 1);
  const bits b = std::bit_cast<bits>(x);
  return b & sign ? static_cast<bits>(~b) : static_cast<bits>(b | sign);
}
template <math::real T>
constexpr T number_at(typename math::ieee<T>::bits order) {
  using bits = typename math::ieee<T>::bits;
  constexpr bits sign = ~(~bits(0) >> 1);
  return std::bit_cast<T>(order & sign ? static_cast<bits>(order ^ sign) : static_cast<bits>(~order));
}

/// How many there are of something, and what they weigh together.
struct quantity {
  std::size_t count = 0;
  double mass = 0;
};

/// Raises errc::invalid_argument if one of n logits is NaN.
template <class T>
CTLM_NOINLINE constexpr void require_numbers(const T* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    check(x[i] == x[i], failure{errc::invalid_argument, "ctlm: logit {where} is not a number", i});
}
/// Raises errc::invalid_argument if all of n logits are -infinity: if the largest is.
template <class T>
constexpr void require_some(T largest, std::size_t n) {
  check(largest != -std::numeric_limits<T>::infinity(),
        failure{errc::invalid_argument, "ctlm: all {had} logits are -infinity: there is no token to choose", 0, 0, n});
}

constexpr quantity quantity_of(const level_sums& sums, std::size_t level) {
  quantity q;
  for (std::size_t l = 0; l < sum_lanes; ++l) {
    q.count += static_cast<std::size_t>(sums.count[level][l]);
    q.mass += sums.weight[level][l];
  }
  return q;
}

/// How far the levels of a first pass lie below the highest key, as logarithms in base 2; the first is all there is.
inline constexpr float first_steps[most_levels] = {0, 24, 16, 11, 7, 4, 2, 0.7f};

}  // namespace sampling_detail

/// The tokens that are left to choose from, and the questions that a rule may ask about them. Logits are of type T. It
/// takes sizeof(token_candidates<T>) bytes on the stack of whoever chooses, and about as much again while a rule works.
template <class T, class Backend = portable>
class token_candidates {
 public:
  /// Tokens that are copied at most.
  static constexpr std::size_t room = 256;

  /// All tokens, at temperature 1. The logits must outlive it. Raises errc::invalid_argument if there are none, if one
  /// is NaN, or if all are -infinity.
  constexpr explicit token_candidates(span<const T> logits) : x_(logits.data()), n_(logits.size()) {
    check(n_ > 0, errc::invalid_argument, "ctlm: there are no logits to choose a token from");
    bool numbers = true;
    for (std::size_t b = 0; b < blocks(); ++b) {
      most_[b] = largest_number(backend, block_size(b), x_ + b * stride(), numbers);
      peak_ = most_[b] > peak_ ? most_[b] : peak_;
    }
    if (!numbers) sampling_detail::require_numbers(x_, n_);
    sampling_detail::require_some(peak_, n_);
    high_ = peak_;
    first_alone_ = !math::isfinite(peak_);
  }

  /// The largest logit of all.
  constexpr T peak() const { return peak_; }
  /// The largest logit that is left.
  constexpr T highest() const { return high_ < peak_ ? logit_of(first()) : peak_; }
  /// Logits are divided by a temperature above 0 from now on: what the rules that follow see as probabilities changes.
  /// One that is 0 or less, or so small that a quotient overflows, leaves the most likely token alone.
  constexpr void divide_by(float temperature) {
    const T sharpness = T(1) / T(temperature);
    if (temperature <= 0.0f || !math::isfinite(peak_ * sharpness) || !math::isfinite(sharpness)) return take_first();
    sharpness_ /= static_cast<double>(temperature);
    base2_ = static_cast<float>(sharpness_ * 1.4426950408889634);
    if (!math::isfinite(base2_)) take_first();
  }
  /// What logits are multiplied by: 1 divided by all temperatures.
  constexpr double sharpness() const { return sharpness_; }
  /// Leaves the most likely token alone, the first of equals.
  constexpr void take_first() { first_alone_ = true; }
  /// Whether that has happened: then there is nothing to do for other rules.
  constexpr bool decided() const { return first_alone_; }

  /// Leaves the tokens whose logits lie in [low, high]; one at least has to.
  constexpr void keep(T low, T high) {
    low_ = low > low_ ? low : low_;
    high_ = high < high_ ? high : high_;
    if (!copied_) return;
    std::size_t left = 0;
    for (std::size_t i = 0; i < held_; ++i)
      if (value_[i] >= low_ && value_[i] <= high_) {
        value_[left] = value_[i];
        id_[left++] = id_[i];
      }
    held_ = left;
  }
  /// Leaves the k > 0 most likely tokens, and any that tie with the k-th.
  constexpr void keep_most_likely(std::size_t k) {
    if (k >= n_ || first_alone_) return;
    if (!copied_ && high_ == peak_ && k <= smaller(blocks(), room)) {
      // At least k logits reach the k-th largest maximum of a block, and hardly more.
      const T least = kth_block(k);
      if (least >= low_) copy_from(least);
    }
    narrow(by_count{}, [=](const auto& q, const auto&) { return q.count >= k; });
  }
  /// Leaves the fewest tokens, the most likely first, that hold `part` of the probability, and any that tie with the
  /// last of them. 1 or more: all tokens; 0 or less: the most likely one.
  constexpr void keep_probable(double part) {
    if (part >= 1.0 || first_alone_) return;
    if (!(part > 0.0)) return take_first();
    narrow(by_logit{}, [=](const auto& q, const auto& all) { return q.count > 0 && q.mass >= part * all.mass; });
  }
  /// Leaves the fewest tokens, those whose log2_of() is nearest to `center` first, that hold `part` of the probability.
  constexpr void keep_nearest(float center, double part) {
    if (part >= 1.0 || first_alone_) return;
    const by_distance order{center};
    const float least =
        found(order, [=](const auto& q, const auto& all) { return q.count > 0 && q.mass >= part * all.mass; });
    T low = high_, high = low_;
    for_each([&](std::size_t, T logit) {
      if (order.of(log2_of(logit)) < least) return;
      low = logit < low ? logit : low;
      high = logit > high ? logit : high;
    });
    keep(low, high);
    copy_from(low_);
  }

  /// The logarithm, in base 2, of a token's mass.
  constexpr float log2_of(T logit) const {
    if constexpr (std::is_same_v<T, float>)
      return math::product(logit - peak_, base2_);
    else
      return static_cast<float>((logit - peak_) * static_cast<T>(base2_));
  }
  /// A token's mass: 1 for the most likely one of all, and its probability when it is divided by total().
  constexpr float mass_of(T logit) const { return exp2_below(log2_of(logit)); }
  /// f(token, logit) for the tokens that are left, in their order.
  template <class F>
  constexpr void for_each(F&& f) const {
    for (std::size_t i = 0, n = copied_ ? held_ : n_; i < n; ++i) {
      const T logit = copied_ ? value_[i] : x_[i];
      if (logit >= low_ && logit <= high_) f(copied_ ? static_cast<std::size_t>(id_[i]) : i, logit);
    }
  }
  /// The sum of the masses that are left.
  constexpr double total() const {
    double all = 0;
    in_pieces<true>(by_logit{}, low_, [&](const T*, const float* mass, std::size_t, std::size_t n) {
      all += lane_sum(backend, n, static_cast<const float*>(mass));
      return true;
    });
    return all;
  }
  /// The mean of log2_of() of the tokens that are left, weighed by their probabilities: log2(total()) less this is the
  /// entropy in bits.
  constexpr double mean_log2() const {
    double all = 0, sum = 0;
    in_pieces<true>(by_logit{}, low_, [&](const T* logit, float* mass, std::size_t, std::size_t n) {
      all += lane_sum(backend, n, static_cast<const float*>(mass));
      for (std::size_t i = 0; i < n; ++i) mass[i] = mass[i] > 0.0f ? math::product(mass[i], log2_of(logit[i])) : 0.0f;
      sum += lane_sum(backend, n, static_cast<const float*>(mass));
      return true;
    });
    return sum / all;
  }

  /// A token that was drawn.
  struct drawn {
    token chosen;        ///< the token
    double probability;  ///< among the tokens that were left
  };
  /// Draws one; u is in [0, 1): that part of the probability lies before it, in the order of the tokens.
  constexpr drawn draw(double u) const {
    if (first_alone_) return {first(), 1.0};
    const double all = total();
    double left = u * all;
    std::size_t last = 0;
    float weight = 0;
    in_pieces<true>(by_logit{}, low_, [&](const T*, const float* mass, std::size_t at, std::size_t n) {
      const double here = lane_sum(backend, n, static_cast<const float*>(mass));
      if (!(left < here)) {
        left -= here;
        return true;
      }
      for (std::size_t i = 0; i < n; ++i) {
        if (mass[i] == 0.0f) continue;
        last = at + i;
        weight = mass[i];
        if (left < static_cast<double>(weight)) return false;
        left -= static_cast<double>(weight);
      }
      return false;
    });
    if (weight == 0.0f) return {first(), 1.0 / all};  // sums that were rounded up: one draw in 10^12
    return {static_cast<token>(copied_ ? static_cast<std::size_t>(id_[last]) : last),
            static_cast<double>(weight) / all};
  }
  /// The most likely token that is left, the first of equals.
  constexpr token first() const {
    if (copied_) {
      std::size_t best = 0;
      for (std::size_t i = 1; i < held_; ++i)
        if (value_[i] > value_[best]) best = i;
      return static_cast<token>(id_[best]);
    }
    std::size_t best = n_;
    for (std::size_t b = 0; b < blocks(); ++b) {
      if (best < n_ && !(most_[b] > x_[best])) continue;
      for (std::size_t i = b * stride(), end = i + block_size(b); i < end; ++i)
        if (x_[i] >= low_ && x_[i] <= high_ && (best == n_ || x_[i] > x_[best])) best = i;
    }
    return static_cast<token>(best);
  }

 private:
  static constexpr std::size_t most_blocks = 256, levels = most_levels, piece = sampling_detail::piece;
  // Kernels of a processor are there for single precision.
  static constexpr std::conditional_t<std::same_as<T, float>, Backend, portable> backend{};
  using quantity = sampling_detail::quantity;

  // Orders of tokens: a key for each, the higher the sooner it is kept. Of n tokens at once: keys(logits, logarithms of
  // masses, keys); NaN where the logarithm is.
  struct by_logit {
    using key = T;
    static constexpr bool weighs = true;
    static constexpr void keys(std::size_t n, const T* x, const float* log2, T* to) {
      for (std::size_t i = 0; i < n; ++i) to[i] = log2[i] == log2[i] ? x[i] : std::numeric_limits<T>::quiet_NaN();
    }
    static constexpr T most(const token_candidates& c) { return c.high_; }
    static constexpr T step(const token_candidates& c, float log2) { return c.high_ - static_cast<T>(log2 / c.base2_); }
    static constexpr T bound(T key) { return key; }
  };
  struct by_count : by_logit {
    static constexpr bool weighs = false;
  };
  struct by_distance {
    using key = float;
    static constexpr bool weighs = true;
    float center;
    constexpr float of(float log2) const { return -math::abs(log2 - center); }
    constexpr void keys(std::size_t n, const T*, const float* log2, float* to) const {
      for (std::size_t i = 0; i < n; ++i) to[i] = of(log2[i]);
    }
    static constexpr float most(const token_candidates&) { return 0; }
    static constexpr float step(const token_candidates&, float log2) { return -log2; }
    static constexpr T bound(float) { return -std::numeric_limits<T>::infinity(); }
  };

  constexpr std::size_t stride() const { return round_up(ceil_div(n_, most_blocks), sum_lanes); }
  constexpr std::size_t blocks() const { return ceil_div(n_, stride()); }
  constexpr std::size_t block_size(std::size_t b) const { return smaller(stride(), n_ - b * stride()); }

  /// Keys and masses of n logits; NaN and 0 of those that are not left.
  template <bool weigh, class Order>
  CTLM_NOINLINE constexpr void look(const Order& order, const T* x, std::size_t n, typename Order::key* key,
                                    float* mass) const {
    constexpr float nothing = std::numeric_limits<float>::quiet_NaN();
    if constexpr (std::same_as<T, float>) {
      elementwise(
          backend, n,
          [=, low = low_, high = high_, peak = peak_, base2 = base2_](auto& y, const auto& v) {
            using math::product, math::select;
            using V = std::remove_reference_t<decltype(y)>;
            y = select(v >= V(low), select(v <= V(high), product(v - V(peak), V(base2)), V(nothing)), V(nothing));
          },
          mass, x);
    } else {
      for (std::size_t i = 0; i < n; ++i) mass[i] = x[i] >= low_ && x[i] <= high_ ? log2_of(x[i]) : nothing;
    }
    order.keys(n, x, static_cast<const float*>(mass), key);
    if constexpr (weigh)
      elementwise(
          backend, n, [](auto& y) { y = exp2_below(y); }, mass);
  }
  /// f(keys, masses, index of the first, how many) for what is left, a piece at a time, until it returns false. Blocks
  /// in which no logit reaches `bound` are left out.
  template <bool weigh, class Order, class F>
  constexpr void in_pieces(const Order& order, T bound, F&& f) const {
    typename Order::key key[piece]{};
    float mass[piece]{};
    const std::size_t n = copied_ ? held_ : n_, block = copied_ ? room : stride();
    for (std::size_t first = 0; first < n; first += block) {
      if (!copied_ && !(most_[first / block] >= bound)) continue;
      const std::size_t end = smaller(first + block, n);
      for (std::size_t i = first; i < end; i += piece) {
        const std::size_t count = smaller(piece, end - i);
        look<weigh>(order, (copied_ ? value_ : x_) + i, count, key, mass);
        if (!f(key, mass, i, count)) return;
      }
    }
  }

  /// Keeps the tokens from the key on that found() finds, and copies them if they are few.
  template <class Order, class Enough>
  constexpr void narrow(const Order& order, Enough enough) {
    keep(found(order, enough), high_);
    copy_from(low_);
  }
  /// The largest key that is enough for: enough(quantity of what reaches it, of all that is left).
  template <class Order, class Enough>
  constexpr typename Order::key found(const Order& order, Enough enough) const {
    using K = typename Order::key;
    constexpr K everything = -std::numeric_limits<K>::infinity();
    auto low = sampling_detail::order_of(everything);
    auto high = static_cast<decltype(low)>(sampling_detail::order_of(order.most(*this)) + 1);
    quantity all, at_low, at_high, outside;  // outside: of what is above the few
    K few[room]{}, level[levels]{};
    float weights[room]{};
    std::size_t taken = 0;
    bool has_few = false;
    for (bool opening = true; high - low > 1; opening = false) {
      const auto part = static_cast<decltype(low)>((high - low) / (levels + 1));
      const auto rest = static_cast<std::size_t>((high - low) % (levels + 1));
      for (std::size_t j = 0; j < levels; ++j)
        level[j] =
            !opening
                ? sampling_detail::number_at<K>(static_cast<decltype(low)>(low + part * (j + 1) + smaller(rest, j + 1)))
            : j == 0 ? everything
                     : order.step(*this, sampling_detail::first_steps[j]);
      level_sums sums;
      if (has_few)
        add_levels<Order::weighs>(backend, taken, static_cast<const K*>(few), static_cast<const float*>(weights),
                                  static_cast<const K*>(level), sums);
      else
        in_pieces<Order::weighs>(order, order.bound(opening ? everything : sampling_detail::number_at<K>(low)),
                                 [&](const K* key, const float* mass, std::size_t, std::size_t n) {
                                   add_levels<Order::weighs>(backend, n, key, mass, static_cast<const K*>(level), sums);
                                   return true;
                                 });
      if (opening) all = at_low = sampling_detail::quantity_of(sums, 0);
      for (std::size_t j = 0; j < levels; ++j) {
        const auto at = sampling_detail::order_of(level[j]);
        if (at <= low || at >= high) continue;
        const quantity in = sampling_detail::quantity_of(sums, j), q{in.count + outside.count, in.mass + outside.mass};
        if (!enough(q, all)) {
          high = at;
          at_high = q;
          break;
        }
        low = at;
        at_low = q;
      }
      if (has_few || copied_ || at_low.count - at_high.count > room) continue;
      const K least = sampling_detail::number_at<K>(low), beyond = sampling_detail::number_at<K>(high);
      outside = at_high;
      has_few = true;
      in_pieces<Order::weighs>(order, order.bound(least),
                               [&](const K* key, const float* mass, std::size_t, std::size_t n) {
                                 for (std::size_t i = 0; i < n && taken < room; ++i)
                                   if (key[i] >= least && !(key[i] >= beyond)) {
                                     few[taken] = key[i];
                                     weights[taken++] = mass[i];
                                   }
                                 return true;
                               });
    }
    return sampling_detail::number_at<K>(low);
  }

  /// The k-th largest of the blocks' maxima.
  constexpr T kth_block(std::size_t k) const {
    auto low = sampling_detail::order_of(-std::numeric_limits<T>::infinity());
    auto high = static_cast<decltype(low)>(sampling_detail::order_of(peak_) + 1);
    while (high - low > 1) {
      const auto middle = static_cast<decltype(low)>(low + (high - low) / 2);
      const T level = sampling_detail::number_at<T>(middle);
      std::int32_t count = 0;
      for (std::size_t b = 0; b < blocks(); ++b) count += most_[b] >= level ? 1 : 0;
      (static_cast<std::size_t>(count) >= k ? low : high) = middle;
    }
    return sampling_detail::number_at<T>(low);
  }

  /// Copies the tokens whose logits are left and at least `least`, if there is room for all of them: then they are all
  /// that is left.
  constexpr void copy_from(T least) {
    if (copied_) return;
    std::size_t n = 0;
    for (std::size_t b = 0; b < blocks(); ++b) {
      if (!(most_[b] >= least)) continue;
      const std::size_t end = b * stride() + block_size(b);
      for (std::size_t i = b * stride(); i < end; ++i) {
        i += first_reaching(backend, end - i, x_ + i, least);
        if (i == end) break;
        if (!(x_[i] <= high_)) continue;
        if (n == room) return;
        value_[n] = x_[i];
        id_[n++] = static_cast<std::uint32_t>(i);
      }
    }
    held_ = n;
    low_ = least;
    copied_ = true;
  }
  constexpr T logit_of(token t) const { return x_[static_cast<std::size_t>(t)]; }
  const T* x_;
  std::size_t n_, held_ = 0;
  T peak_ = -std::numeric_limits<T>::infinity(), low_ = peak_, high_ = peak_;
  double sharpness_ = 1;
  float base2_ = 1.4426950408889634f;
  bool copied_ = false, first_alone_ = false;
  T most_[most_blocks]{}, value_[room]{};
  std::uint32_t id_[room]{};
};

}}  // namespace ctlm
