// SPDX-License-Identifier: MIT
// ctlm: a head that says which class a sequence is of.
#pragma once

#include "../../kernels/cross_entropy.hpp"
#include "linear_head.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A logit for each class. The target of a sequence is the number of its class, from 0 on, or ignore_token; the loss
/// is cross entropy, in nats.
template <std::size_t Classes, pooling_policy Pooling = mean_rows>
struct classification : linear_head<Classes, Pooling> {
  static_assert(Classes >= 2, "ctlm: classification<classes> needs at least 2 classes to tell apart");
  static constexpr const char* name = "classification";  ///< in checkpoints
  template <class T>
  using target = token;                      ///< the number of a class
  static constexpr std::size_t targets = 1;  ///< of each sequence

  /// False for ignore_token.
  static constexpr bool takes_part(const token* wanted) { return *wanted != ignore_token; }
  /// Refuses numbers that no class has.
  static constexpr failure problem_of(const token* wanted, std::size_t sequence) {
    if (*wanted == ignore_token || (*wanted >= 0 && static_cast<std::size_t>(*wanted) < Classes)) return {};
    return {errc::invalid_argument, "ctlm: the class of sequence {where} is {token}: there are {needed}, from 0 on",
            sequence, Classes, static_cast<std::size_t>(*wanted)};
  }
  /// Cross entropy; the logits become `scale` times its derivatives.
  template <class Backend, class T>
  static constexpr T loss(Backend backend, T* out, const token* wanted, T scale) {
    const auto own = static_cast<std::size_t>(*wanted);
    const T logit = out[own];
    const T found = surprise(Classes, softmax(backend, Classes, out, scale), logit);
    out[own] -= scale;
    return found;
  }
  /// The class with the highest logit; of several, the first one.
  template <class T>
  static constexpr token most_probable(const T* out) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < Classes; ++i)
      if (out[i] > out[best]) best = i;
    return static_cast<token>(best);
  }
  /// Whether the most probable class is the wanted one.
  template <class T>
  static constexpr bool is_right(const T* out, const token* wanted) {
    return most_probable(out) == *wanted;
  }
};
static_assert(sequence_head<classification<2>>);

}}  // namespace ctlm
