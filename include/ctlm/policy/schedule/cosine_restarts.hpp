// SPDX-License-Identifier: MIT
// ctlm: half cosines, one after the other (SGDR: Loshchilov and Hutter 2017).
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate falls along half a cosine from lr towards min_lr during `period` steps, begins again at lr, and so on; each
/// fall is `longer` times as long as the one before.
struct cosine_restarts {
  struct options {
    std::size_t period = 1000;  ///< steps of the first fall; at least 1
    std::size_t longer = 1;     ///< how many times as long each next one is; at least 1
    float min_lr = 0.0f;        ///< the rate that each fall ends before; at least 0
  };
  static constexpr failure problem_of(const options& o) {
    return first_problem(some_steps(o.period, "schedule.period"),
                         option_problem(o.longer > 0, "ctlm: {name} must be at least 1, not 0", "schedule.longer"),
                         not_negative(static_cast<double>(o.min_lr), "schedule.min_lr"));
  }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    std::size_t length = o.period;
    if (o.longer == 1) step %= o.period;
    for (; step >= length; length *= o.longer) step -= length;
    const double progress = static_cast<double>(step) / static_cast<double>(length);
    const double least = static_cast<double>(o.min_lr);
    return least + 0.5 * (1 + math::cos(math::pi * progress)) * (lr - least);
  }
};
static_assert(schedule_policy<cosine_restarts>);

}}  // namespace ctlm
