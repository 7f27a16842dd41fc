// SPDX-License-Identifier: MIT
// ctlm: log-probabilities on request, as a rule that changes nothing.
#pragma once

#include "../../kernels/cross_entropy.hpp"
#include "adjust.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Writes the logarithm of each token's probability, in nats, to memory of yours as large as the vocabulary: of the
/// model where this is the first rule, or of what the rules before it make of its logits. It takes another pass over
/// the vocabulary, and one to write.
template <class T = float>
struct log_probabilities {
  span<T> room{};  ///< [vocab]

  /// Raises errc::invalid_argument for memory of another size.
  template <class Backend>
  constexpr void adjust(Backend backend, span<T> logits) const {
    check(room.size() == logits.size(),
          failure{errc::invalid_argument, "ctlm: log_probabilities need room for {needed} numbers, not {had}", 0,
                  logits.size(), room.size()});
    if (logits.empty()) return;
    // The surprise of the first token with a finite logit, and its logit: their sum is the logarithm of the sum.
    std::size_t some = 0;
    while (some + 1 < logits.size() && !math::isfinite(logits[some])) ++some;
    const T sum =
        logits[some] + negative_log_likelihood(backend, logits.size(), static_cast<const T*>(logits.data()), some);
    elementwise(
        backend, logits.size(), [=](auto& to, const auto& x) { to = x - sum; }, room.data(),
        static_cast<const T*>(logits.data()));
  }
};

}}  // namespace ctlm
