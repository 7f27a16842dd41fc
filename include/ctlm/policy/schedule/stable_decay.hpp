// SPDX-License-Identifier: MIT
// ctlm: a learning rate that stays, and falls at the end (WSD: Hu et al. 2024, "MiniCPM").
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate is lr during `stable` steps, and then falls to min_lr in a straight line during `decay` steps. With a
/// warm-up before it, warmed<stable_decay>, it is warm-up-stable-decay: the stable part can be made longer at any time,
/// and a fall begun from any of its checkpoints.
struct stable_decay {
  struct options {
    std::size_t stable = 0;  ///< steps at lr
    std::size_t decay = 1;   ///< steps of the fall; at least 1
    float min_lr = 0.0f;     ///< the rate afterwards; at least 0
  };
  static constexpr failure problem_of(const options& o) {
    return first_problem(some_steps(o.decay, "schedule.decay"),
                         not_negative(static_cast<double>(o.min_lr), "schedule.min_lr"));
  }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    const std::size_t fallen = smaller(step - smaller(step, o.stable), o.decay);
    const double least = static_cast<double>(o.min_lr);
    return lr + (least - lr) * (static_cast<double>(fallen) / static_cast<double>(o.decay));
  }
};
static_assert(schedule_policy<stable_decay>);

}}  // namespace ctlm
