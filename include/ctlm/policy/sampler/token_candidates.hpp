// SPDX-License-Identifier: MIT
// ctlm: what rules of sampling have left of a vocabulary. Every rule keeps the tokens whose logits lie in an interval,
// equals together; so two numbers say which are left. level_search.hpp finds what a rule asks, such as which logit the
// fifth largest is, or from which one on the tokens hold 0.95 of the probability; sampled_search.hpp finds the same
// faster in large vocabularies.
//
// Loops run over sixteen lanes, in one order for all backends, and no product is merged with an addition
// (math::product): so every backend and every build draws the same tokens.
#pragma once

#include "../../core/result.hpp"
#include "level_search.hpp"
#include "logits.hpp"
#if !CTLM_FREESTANDING
#include "many_tokens.hpp"
#include "sampled_search.hpp"
#endif

namespace ctlm { inline namespace CTLM_ABI {

namespace sampling_detail {

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

}  // namespace sampling_detail

/// The tokens that are left to choose from, and the questions that a rule may ask about them. Logits are of type T. It
/// takes sizeof(token_candidates<T>) bytes on the stack of whoever chooses, and about as much again while a rule works.
/// Many: what reads large vocabularies faster is there too, where there is an operating system. It takes some 6 KB more
/// of the stack then, and all results are the same.
template <class T, class Backend = portable, bool Many = false>
class token_candidates {
 public:
  /// Tokens that are copied at most.
  static constexpr std::size_t room = sampling_detail::most_copies;

  /// All tokens, at temperature 1. The logits must outlive it. Raises errc::invalid_argument if there are none, if one
  /// is NaN, or if all are -infinity.
  constexpr explicit token_candidates(span<const T> logits) : left_{logits.data(), logits.size()} {
    check(left_.n > 0, errc::invalid_argument, "ctlm: there are no logits to choose a token from");
    bool numbers = true;
    for (std::size_t b = 0; b < left_.blocks(); ++b) {
      left_.most[b] = largest_number(backend, left_.block_size(b), left_.x + b * left_.stride(), numbers);
      left_.peak = left_.most[b] > left_.peak ? left_.most[b] : left_.peak;
    }
    if (!numbers) sampling_detail::require_numbers(left_.x, left_.n);
    sampling_detail::require_some(left_.peak, left_.n);
    left_.high = left_.peak;
    first_alone_ = !math::isfinite(left_.peak);
  }

  /// The largest logit of all.
  constexpr T peak() const { return left_.peak; }
  /// The largest logit that is left.
  constexpr T highest() const { return left_.high < left_.peak ? logit_of(first()) : left_.peak; }
  /// Logits are divided by a temperature above 0 from now on: what the rules that follow see as probabilities changes.
  /// One that is 0 or less, or so small that a quotient overflows, leaves the most likely token alone.
  constexpr void divide_by(float temperature) {
    const T sharpness = T(1) / T(temperature);
    if (temperature <= 0.0f || !math::isfinite(left_.peak * sharpness) || !math::isfinite(sharpness))
      return take_first();
    sharpness_ /= static_cast<double>(temperature);
    left_.base2 = static_cast<float>(sharpness_ * 1.4426950408889634);
    if (!math::isfinite(left_.base2)) take_first();
  }
  /// What logits are multiplied by: 1 divided by all temperatures.
  constexpr double sharpness() const { return sharpness_; }
  /// Leaves the most likely token alone, the first of equals.
  constexpr void take_first() { first_alone_ = true; }
  /// Whether that has happened: then there is nothing to do for other rules.
  constexpr bool decided() const { return first_alone_; }

  /// Leaves the tokens whose logits lie in [low, high]; one at least has to.
  constexpr void keep(T low, T high) {
    left_.low = low > left_.low ? low : left_.low;
    left_.high = high < left_.high ? high : left_.high;
    if (!left_.copied) return;
    std::size_t left = 0;
    for (std::size_t i = 0; i < left_.held; ++i)
      if (left_.value[i] >= left_.low && left_.value[i] <= left_.high) {
        left_.value[left] = left_.value[i];
        left_.id[left++] = left_.id[i];
      }
    left_.held = left;
  }
  /// Leaves the k > 0 most likely tokens, and any that tie with the k-th.
  constexpr void keep_most_likely(std::size_t k) {
    if (k >= left_.n || first_alone_) return;
    if (!left_.copied && left_.high == left_.peak && k <= smaller(left_.blocks(), room)) {
      // At least k logits reach the k-th largest maximum of a block, and hardly more.
      const T least = sampling_detail::kth_largest(k, left_.blocks(), static_cast<const T*>(left_.most), left_.peak);
      if (least >= left_.low) copy_from(least);
    }
    narrow({k, 1});
  }
  /// Leaves the fewest tokens, the most likely first, that hold `part` of the probability, and any that tie with the
  /// last of them. 1 or more: all tokens; 0 or less: the most likely one.
  constexpr void keep_probable(double part) {
    if (part >= 1.0 || first_alone_) return;
    if (!(part > 0.0)) return take_first();
    narrow({0, part});
  }
  /// Leaves the fewest tokens, those whose log2_of() is nearest to `center` first, that hold `part` of the probability.
  constexpr void keep_nearest(float center, double part) {
    if (part >= 1.0 || first_alone_) return;
    const sampling_detail::by_distance<T> order{center};
    const float least = level(order, {0, part});
    if constexpr (many)
      if (reads_many()) return keep_between(logits_reaching(left_, order, least));
    T low = left_.high, high = left_.low;
    for_each([&](std::size_t, T logit) {
      if (order.of(log2_of(logit)) < least) return;
      low = logit < low ? logit : low;
      high = logit > high ? logit : high;
    });
    keep(low, high);
    copy_from(left_.low);
  }

  /// The logarithm, in base 2, of a token's mass.
  constexpr float log2_of(T logit) const { return left_.log2_of(logit); }
  /// A token's mass: 1 for the most likely one of all, and its probability when it is divided by total().
  constexpr float mass_of(T logit) const { return exp2_below(log2_of(logit)); }
  /// f(token, logit) for the tokens that are left, in their order.
  template <class F>
  constexpr void for_each(F&& f) const {
    for (std::size_t i = 0, n = left_.copied ? left_.held : left_.n; i < n; ++i) {
      const T logit = left_.copied ? left_.value[i] : left_.x[i];
      if (logit >= left_.low && logit <= left_.high) f(left_.copied ? static_cast<std::size_t>(left_.id[i]) : i, logit);
    }
  }
  /// The sum of the masses that are left.
  constexpr double total() const {
    reader pieces(left_, {}, true);
    return mass_in(pieces);
  }
  /// The mean of log2_of() of the tokens that are left, weighed by their probabilities: log2(total()) less this is the
  /// entropy in bits.
  constexpr double mean_log2() const {
    double all = 0, sum = 0;
    for (reader pieces(left_, {}, true); pieces.next();) {
      float* const mass = pieces.mass;
      all += lane_sum(backend, pieces.count, static_cast<const float*>(mass));
      if constexpr (many)
        multiply_by_log2(left_, pieces);
      else
        for (std::size_t i = 0; i < pieces.count; ++i)
          mass[i] = mass[i] > 0.0f ? math::product(mass[i], log2_of(pieces.key[i])) : 0.0f;
      sum += lane_sum(backend, pieces.count, static_cast<const float*>(mass));
    }
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
    reader pieces(left_, {}, true);
    const double all = mass_in(pieces);
    double left = u * all;
    std::size_t last = 0;
    float weight = 0;
    for (pieces.from(left_.low); pieces.next();) {
      const double here = lane_sum(backend, pieces.count, static_cast<const float*>(pieces.mass));
      if (!(left < here)) {
        left -= here;
        continue;
      }
      for (std::size_t i = 0; i < pieces.count; ++i) {
        if (pieces.mass[i] == 0.0f) continue;
        last = pieces.at + i;
        weight = pieces.mass[i];
        if (left < static_cast<double>(weight)) break;
        left -= static_cast<double>(weight);
      }
      break;
    }
    if (weight == 0.0f) return {first(), 1.0 / all};  // sums that were rounded up: one draw in 10^12
    return {static_cast<token>(left_.copied ? static_cast<std::size_t>(left_.id[last]) : last),
            static_cast<double>(weight) / all};
  }
  /// The most likely token that is left, the first of equals.
  CTLM_NOINLINE constexpr token first() const {
    if (left_.copied) {
      std::size_t best = 0;
      for (std::size_t i = 1; i < left_.held; ++i)
        if (left_.value[i] > left_.value[best]) best = i;
      return static_cast<token>(left_.id[best]);
    }
    std::size_t best = left_.n;
    for (std::size_t b = 0; b < left_.blocks(); ++b) {
      if (best < left_.n && !(left_.most[b] > left_.x[best])) continue;
      for (std::size_t i = b * left_.stride(), end = i + left_.block_size(b); i < end; ++i)
        if (left_.x[i] >= left_.low && left_.x[i] <= left_.high && (best == left_.n || left_.x[i] > left_.x[best]))
          best = i;
    }
    return static_cast<token>(best);
  }

 private:
  using left_type = sampling_detail::left_tokens<T, Backend>;
  using by_logit = sampling_detail::by_logit<T>;
  using reader = sampling_detail::piece_reader<by_logit, T, Backend>;
  static constexpr auto backend = left_type::backend;
  static constexpr bool many = Many && std::same_as<T, float> && !CTLM_FREESTANDING;

  /// Whether what is left is read as a large vocabulary is.
  constexpr bool reads_many() const { return !left_.copied && left_.n >= large_vocabulary; }
  /// Keeps these, and knows the highest of them.
  constexpr void keep_between(const auto& in) {
    keep(in.low, in.high);
    if (left_.high < left_.peak) left_.high = largest_up_to(left_, left_.high);
    copy_from(left_.low);
  }
  static constexpr double mass_in(reader& pieces) {
    double all = 0;
    while (pieces.next()) all += lane_sum(backend, pieces.count, static_cast<const float*>(pieces.mass));
    return all;
  }
  /// Keeps the tokens that reach the level at which they are enough, and copies them if they are few.
  constexpr void narrow(const sampling_detail::enough_tokens& enough) {
    keep(level(by_logit{}, enough), left_.high);
    copy_from(left_.low);
  }
  template <class Order>
  constexpr typename Order::key level(const Order& order, const sampling_detail::enough_tokens& enough) const {
    if constexpr (many)
      if (reads_many()) return sampled_level_of(left_, order, enough);
    return level_of(left_, order, enough);
  }
  /// Copies the tokens whose logits are left and at least `least`, if there is room for all of them: then they are all
  /// that is left.
  constexpr void copy_from(T least) {
    if (left_.copied) return;
    std::size_t n = 0;
    for (std::size_t b = 0; b < left_.blocks(); ++b) {
      if (!(left_.most[b] >= least)) continue;
      const std::size_t end = b * left_.stride() + left_.block_size(b);
      for (std::size_t i = b * left_.stride(); i < end; ++i) {
        i += first_reaching(backend, end - i, left_.x + i, least);
        if (i == end) break;
        if (!(left_.x[i] <= left_.high)) continue;
        if (n == room) return;
        left_.value[n] = left_.x[i];
        left_.id[n++] = static_cast<std::uint32_t>(i);
      }
    }
    left_.held = n;
    left_.low = least;
    left_.copied = true;
  }
  constexpr T logit_of(token t) const { return left_.x[static_cast<std::size_t>(t)]; }

  left_type left_;
  double sharpness_ = 1;
  bool first_alone_ = false;
};

}}  // namespace ctlm
