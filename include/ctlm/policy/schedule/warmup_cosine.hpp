// SPDX-License-Identifier: MIT
// ctlm: linear warm-up, then half a cosine down to a minimum (Loshchilov and Hutter 2017).
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate rises to the optimizer's lr in equal parts during `warmup` steps, then falls along half a cosine, and is
/// min_lr from step `total` on.
struct warmup_cosine {
  struct options {
    std::size_t warmup = 0;  ///< steps until the rate is lr; at most total
    std::size_t total = 1;   ///< steps until the rate is min_lr, those of the warm-up included; at least 1
    float min_lr = 0.0f;     ///< the rate at the end; at least 0
  };
  static constexpr failure problem_of(const options& o) {
    if (o.total == 0) return {errc::invalid_argument, "ctlm: schedule.total must be at least 1 step, not 0"};
    if (o.warmup > o.total)
      return {errc::invalid_argument,
              "ctlm: schedule.warmup of {needed} steps is longer than schedule.total of {had} steps", 0, o.warmup,
              o.total};
    return option_rules().not_negative(o.min_lr, "schedule.min_lr");
  }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    if (step < o.warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup);
    const double least = static_cast<double>(o.min_lr);
    if (step >= o.total) return least;
    const double progress = static_cast<double>(step - o.warmup) / static_cast<double>(o.total - o.warmup);
    return least + 0.5 * (1 + math::cos(math::pi * progress)) * (lr - least);
  }
};
static_assert(schedule_policy<warmup_cosine>);

}}  // namespace ctlm
