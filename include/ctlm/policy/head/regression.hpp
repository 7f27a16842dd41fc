// SPDX-License-Identifier: MIT
// ctlm: a head that says numbers of a sequence.
#pragma once

#include "linear_head.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Outputs numbers, as near as can be to the Outputs targets of a sequence: the loss is the mean of their squared
/// differences. Targets that are not finite are refused.
template <std::size_t Outputs = 1, pooling_policy Pooling = mean_rows>
struct regression : linear_head<Outputs, Pooling> {
  static_assert(Outputs >= 1, "ctlm: regression<outputs> needs at least 1 output");
  static constexpr const char* name = "regression";  ///< in checkpoints
  template <class T>
  using target = T;                                ///< a number
  static constexpr std::size_t targets = Outputs;  ///< of each sequence

  /// All do.
  template <class T>
  static constexpr bool takes_part(const T*) {
    return true;
  }
  /// Refuses numbers that are not finite.
  template <class T>
  static constexpr failure problem_of(const T* wanted, std::size_t sequence) {
    for (std::size_t i = 0; i < Outputs; ++i)
      if (!math::isfinite(wanted[i]))
        return {errc::invalid_argument, "ctlm: target {had} of sequence {where} is not a finite number", sequence, 0,
                i};
    return {};
  }
  /// The mean squared difference; the outputs become `scale` times its derivatives.
  template <class Backend, class T>
  static constexpr T loss(Backend, T* out, const T* wanted, T scale) {
    constexpr T part = T(1) / static_cast<T>(Outputs);
    T found = 0;
    for (std::size_t i = 0; i < Outputs; ++i) {
      const T apart = out[i] - wanted[i];
      found += apart * apart * part;
      out[i] = 2 * apart * part * scale;
    }
    return found;
  }
};
static_assert(sequence_head<regression<1>>);

}}  // namespace ctlm
