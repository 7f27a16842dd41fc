// SPDX-License-Identifier: MIT
// ctlm: cross entropy: the negative log likelihood of the target, in nats.
#pragma once

#include "loss.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The loss of a row is -log softmax(logits)[target], in nats; 0 where the target is ignore_token.
struct cross_entropy_loss {
  static constexpr const char* name = "cross entropy";

  template <class Backend, executor E, class T>
  static constexpr gradients<T> apply(Backend backend, E& exec, std::size_t rows, std::size_t n, values<T> logits,
                                      const token* targets, T scale, T* losses) {
    cross_entropy(backend, exec, rows, n, logits.data, targets, scale, losses);
    return {logits.data};
  }
};
static_assert(loss_policy<cross_entropy_loss>);

}}  // namespace ctlm
