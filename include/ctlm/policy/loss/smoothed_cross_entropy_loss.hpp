// SPDX-License-Identifier: MIT
// ctlm: cross entropy with label smoothing and z-loss, as losses of a trainer.
#pragma once

#include "../../kernels/smoothed_cross_entropy.hpp"
#include "../options.hpp"
#include "loss.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The loss of a row is its cross entropy with a target that has the share 1 - label_smoothing, the rest being spread
/// over all outputs, plus z_loss * log(sum of exponentials)^2; 0 where the target is ignore_token. With both options 0
/// it is cross_entropy_loss.
struct smoothed_cross_entropy_loss {
  static constexpr const char* name = "smoothed cross entropy";

  struct options {
    float label_smoothing = 0.1f;  ///< the share that is spread over all outputs; at least 0, less than 1
    float z_loss = 0.0f;           ///< the price of large logits, 1e-4 perhaps; at least 0
  };
  static constexpr failure problem_of(const options& o) {
    return first_problem(below_one(static_cast<double>(o.label_smoothing), "loss.label_smoothing"),
                         not_negative(static_cast<double>(o.z_loss), "loss.z_loss"));
  }

  template <class Backend, executor E, class T>
  static constexpr gradients<T> apply(Backend backend, E& exec, std::size_t rows, std::size_t n, values<T> logits,
                                      const token* targets, T scale, T* losses, const options& o) {
    smoothed_cross_entropy(backend, exec, rows, n, logits.data, targets, T(o.label_smoothing), T(o.z_loss), scale,
                           losses);
    return {logits.data};
  }
  /// The same with the default options.
  template <class Backend, executor E, class T>
  static constexpr gradients<T> apply(Backend backend, E& exec, std::size_t rows, std::size_t n, values<T> logits,
                                      const token* targets, T scale, T* losses) {
    return apply(backend, exec, rows, n, logits, targets, scale, losses, options{});
  }
};
static_assert(loss_policy<smoothed_cross_entropy_loss>);

}}  // namespace ctlm
