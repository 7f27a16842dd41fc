// SPDX-License-Identifier: MIT
// ctlm: which tokens of a vocabulary are left to choose from, and how they are read: a piece at a time, as keys by
// which they are ordered and as masses.
#pragma once

#include "../../core/rng.hpp"
#include "../../core/span.hpp"
#include "../../kernels/primitives.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// Tokens that are copied at most.
inline constexpr std::size_t most_copies = 256;

/// The tokens whose logits lie in [low, high]: of all, or of few that are copied.
template <class T, class Backend>
struct left_tokens {
  // Kernels of a processor are there for single precision.
  static constexpr std::conditional_t<std::same_as<T, float>, Backend, portable> backend{};
  static constexpr std::size_t most_blocks = 256;

  const T* x;  // [n] all logits
  std::size_t n, held = 0;
  T peak = -std::numeric_limits<T>::infinity(), low = peak, high = peak;
  float base2 = 1.4426950408889634f;  // 1 divided by the temperature, for powers of 2
  bool copied = false;
  T most[most_blocks]{};            // of each block
  T value[most_copies]{};           // [held] copied logits
  std::uint32_t id[most_copies]{};  // [held] their tokens

  constexpr std::size_t stride() const { return round_up(ceil_div(n, most_blocks), sum_lanes); }
  constexpr std::size_t blocks() const { return ceil_div(n, stride()); }
  constexpr std::size_t block_size(std::size_t b) const { return smaller(stride(), n - b * stride()); }
  /// The logarithm, in base 2, of a token's mass.
  constexpr float log2_of(T logit) const {
    if constexpr (std::is_same_v<T, float>)
      return math::product(logit - peak, base2);
    else
      return static_cast<float>((logit - peak) * static_cast<T>(base2));
  }
};

// Orders of tokens: a key for each, the higher the sooner it is kept. Of count tokens at once: keys(logits, logarithms
// of masses, keys); NaN where the logarithm is.
template <class T>
struct by_logit {
  using key = T;
  static constexpr void keys(std::size_t count, const T* x, const float* log2, T* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = log2[i] == log2[i] ? x[i] : std::numeric_limits<T>::quiet_NaN();
  }
  static constexpr T most(T high) { return high; }
  static constexpr T step(T high, float base2, float log2) { return high - static_cast<T>(log2 / base2); }
  static constexpr T bound(T key) { return key; }
};
template <class T>
struct by_distance {
  using key = float;
  float center;
  constexpr float of(float log2) const { return -math::abs(log2 - center); }
  constexpr void keys(std::size_t count, const T*, const float* log2, float* to) const {
    for (std::size_t i = 0; i < count; ++i) to[i] = of(log2[i]);
  }
  static constexpr float most(T) { return 0; }
  static constexpr float step(T, float, float log2) { return -log2; }
  static constexpr T bound(float) { return -std::numeric_limits<T>::infinity(); }
};

/// Reads what is left: while next(), keys and masses of `count` tokens, the first of which is number `at`; NaN and 0 of
/// those that are not left. Without `weighs` masses are not computed.
template <class Order, class T, class Backend>
struct piece_reader {
  static constexpr std::size_t piece = 256;  // tokens that are looked at together
  // Vectors of a processor are as long as a line of its cache: none lies in two.
  alignas(64) typename Order::key key[piece]{};
  alignas(64) float mass[piece]{};
  const left_tokens<T, Backend>& of;
  Order order;
  bool weighs;
  T bound;  // blocks in which no logit reaches it are left out
  std::size_t at = 0, count = 0, end = 0;

  constexpr piece_reader(const left_tokens<T, Backend>& left, const Order& by, bool with_masses)
      : of(left), order(by), weighs(with_masses), bound(left.low) {}

  /// Begins again.
  constexpr void from(T least) {
    bound = least;
    at = count = end = 0;
  }
  constexpr const T* logits() const { return (of.copied ? of.value : of.x) + at; }

  CTLM_NOINLINE constexpr bool next() {
    const std::size_t all = of.copied ? of.held : of.n, block = of.copied ? most_copies : of.stride();
    at += count;
    while (at == end) {
      if (at == all) return false;
      end = smaller(at + block, all);
      if (!of.copied && !(of.most[at / block] >= bound)) at = end;
    }
    count = smaller(piece, end - at);
    look();
    return true;
  }

 private:
  CTLM_INLINE constexpr void look() {
    constexpr auto backend = left_tokens<T, Backend>::backend;
    constexpr float nothing = std::numeric_limits<float>::quiet_NaN();
    const T* const x = logits();
    if constexpr (std::same_as<T, float>) {
      elementwise(
          backend, count,
          [=, low = of.low, high = of.high, peak = of.peak, base2 = of.base2](auto& y, const auto& v) {
            using math::product, math::select;
            using V = std::remove_reference_t<decltype(y)>;
            y = select(v >= V(low), select(v <= V(high), product(v - V(peak), V(base2)), V(nothing)), V(nothing));
          },
          mass, x);
    } else {
      for (std::size_t i = 0; i < count; ++i) mass[i] = x[i] >= of.low && x[i] <= of.high ? of.log2_of(x[i]) : nothing;
    }
    order.keys(count, x, static_cast<const float*>(mass), key);
    if (weighs)
      elementwise(
          backend, count, [](auto& y) { y = exp2_below(y); }, mass);
  }
};

}  // namespace sampling_detail

}}  // namespace ctlm
