// SPDX-License-Identifier: MIT
// ctlm: the rotary angles of a model: which frequencies its shape asks for, and queries and keys turned by them.
#pragma once

#include "../kernels/rope.hpp"
#include "../spec/decoder.hpp"
#include "../spec/rope_divisors.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace rotary_detail {

constexpr double two_pi = 6.283185307179586;

/// The largest whole number that is not above x.
constexpr double whole(double x) {
  const auto towards_zero = static_cast<double>(static_cast<std::int64_t>(x));
  return towards_zero > x ? towards_zero - 1 : towards_zero;
}
/// The pair that turns `turns` times within the original context, as a fractional index (YaRN's "correction").
constexpr double pair_that_turns(const decoder_shape& s, double turns) {
  return static_cast<double>(s.rotated()) * math::log(static_cast<double>(s.rope_context) / (turns * two_pi)) /
         (2 * math::log(s.rope_theta));
}
/// How much of pair i's frequency is divided: 0 keeps it, 1 divides it by the factor.
constexpr double divided_share(const decoder_shape& s, std::size_t i, double frequency) {
  if (s.rope_scaling == rope_kind::linear) return 1;
  if (s.rope_scaling == rope_kind::llama3) {
    const double turns = static_cast<double>(s.rope_context) * frequency / two_pi;
    if (turns > s.rope_high) return 0;
    if (turns < s.rope_low) return 1;
    return 1 - (turns - s.rope_low) / (s.rope_high - s.rope_low);
  }
  if (s.rope_scaling != rope_kind::yarn) return 0;
  const double last = static_cast<double>(s.rotated()) - 1;
  double low = whole(pair_that_turns(s, s.rope_fast)), high = -whole(-pair_that_turns(s, s.rope_slow));
  low = low < 0 ? 0 : low;
  high = high > last ? last : high;
  if (low == high) high += 0.001;
  const double share = (static_cast<double>(i) - low) / (high - low);
  return share < 0 ? 0 : share > 1 ? 1 : share;
}
constexpr double scaled_frequency(const decoder_shape& s, std::size_t i, double frequency) {
  const double share = divided_share(s, i, frequency);
  return frequency / s.rope_factor * share + frequency * (1 - share);
}
/// Dynamic scaling: the base at a position beyond the original context.
constexpr double grown_base(const decoder_shape& s, std::size_t position) {
  const auto length = static_cast<double>(larger(position + 1, s.rope_context));
  const auto dim = static_cast<double>(s.rotated());
  const double growth = s.rope_factor * length / static_cast<double>(s.rope_context) - (s.rope_factor - 1);
  return s.rope_theta * math::pow(growth, dim / (dim - 2));
}
/// Factor of cosines and sines.
constexpr double amplitude(const decoder_shape& s) {
  if (s.rope_scaling != rope_kind::yarn && s.rope_scaling != rope_kind::longrope) return 1;
  if (s.rope_attention > 0) return s.rope_attention;
  const double growth = math::log(s.rope_factor);
  if (s.rope_scaling == rope_kind::yarn) return 0.1 * growth + 1;
  return math::sqrt(1 + growth / math::log(static_cast<double>(s.rope_context)));
}

/// Angles with scaling, [rows][rotated/2], of positions first, first + 1, ... `divisors`: of longrope, or nullptr.
template <class T>
CTLM_NOINLINE constexpr void scaled_angles(const decoder_shape& s, const float* divisors, std::size_t rows,
                                           std::size_t first, T* cosine, T* sine) {
  const std::size_t half = s.rotated() / 2;
  const bool grows = s.rope_scaling == rope_kind::dynamic;
  const double factor = amplitude(s);
  for (std::size_t i = 0; i < half; ++i) {
    const double unscaled = rope_frequency(s.rotated(), i, s.rope_theta);
    const double plain =
        divisors != nullptr ? unscaled / static_cast<double>(divisors[i]) : scaled_frequency(s, i, unscaled);
    for (std::size_t r = 0; r < rows; ++r) {
      const double turn = grows ? rope_frequency(s.rotated(), i, grown_base(s, first + r)) : plain;
      const auto angle = static_cast<double>(static_cast<T>(first + r) * static_cast<T>(turn));
      cosine[r * half + i] = static_cast<T>(math::cos(angle) * factor);
      sine[r * half + i] = static_cast<T>(math::sin(angle) * factor);
    }
  }
}

}  // namespace rotary_detail

/// Cosines and sines of the rotary angles, [period][rotated / 2]; row r has those of row r % period. Without rotary
/// positions there are none; layers with angles of their own (decoder_shape::is_local) have a second set.
template <class T>
struct rotary_angles {
  T* cosine = nullptr;        ///< [period][rotated / 2]; nullptr without rotary positions
  T* sine = nullptr;          ///< [period][rotated / 2]
  T* local_cosine = nullptr;  ///< the same of local layers, or nullptr
  T* local_sine = nullptr;    ///< the same of local layers, or nullptr
  std::size_t period = 1;     ///< rows after which the positions repeat: of a batch, its sequence

  /// Asks an arena for the angles of `period` rows; for none where the model has no rotary positions.
  template <class A>
  static constexpr rotary_angles place(A& a, const decoder_shape& shape, std::size_t period) {
    rotary_angles angles;
    if (shape.position != position_kind::rope) return angles;
    const std::size_t numbers = period * shape.rotated() / 2;
    angles.period = period;
    angles.cosine = a.template allocate<T>(numbers);
    angles.sine = a.template allocate<T>(numbers);
    if (shape.local_theta > 0) {
      angles.local_cosine = a.template allocate<T>(numbers);
      angles.local_sine = a.template allocate<T>(numbers);
    }
    return angles;
  }
  /// What the config of model M divides its frequencies by, or nullptr.
  template <class M>
  static constexpr const float* divisors_of() {
    if constexpr (M::shape.rope_scaling == rope_kind::longrope)
      return M::tag::config.divisors.values;
    else
      return nullptr;
  }
  /// Computes the angles of `rows` positions of model M, `first` being the first.
  template <class M>
  constexpr void fill(std::size_t first, std::size_t rows) const {
    constexpr decoder_shape s = M::shape;
    if constexpr (s.position == position_kind::rope) {
      if constexpr (s.rope_scaling == rope_kind::plain)
        rope_angles(rows, s.rotated(), first, s.rope_theta, cosine, sine);
      else
        rotary_detail::scaled_angles(s, divisors_of<M>(), rows, first, cosine, sine);
      if constexpr (s.local_theta > 0) rope_angles(rows, s.rotated(), first, s.local_theta, local_cosine, local_sine);
    }
  }
};

/// Turns queries and keys of all rows by their positions, or back (direction -1).
template <class M, class Context, class T>
constexpr void rotate(Context& c, std::size_t layer, std::size_t rows, const rotary_angles<T>& angles, T* qkv,
                      T direction) {
  constexpr decoder_shape s = M::shape;
  if constexpr (s.position == position_kind::rope) {
    if constexpr (s.unrotated_every > 0)
      if (!s.rotates(layer)) return;
    const bool local = s.local_theta > 0 && s.is_local(layer);
    rope(c.backend, *c.exec, rows, angles.period, s.heads + s.kv_heads, s.head_dim, s.rotated(), qkv, s.qkv_dim(),
         static_cast<const T*>(local ? angles.local_cosine : angles.cosine),
         static_cast<const T*>(local ? angles.local_sine : angles.sine), direction);
  }
}

}}  // namespace ctlm
