// SPDX-License-Identifier: MIT
// ctlm: a learning rate that changes along a straight line.
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate goes from lr * begin to lr * end in a straight line during `total` steps, and stays there.
struct linear_rate {
  struct options {
    std::size_t total = 1;  ///< steps until the end is reached; at least 1
    float begin = 1.0f;     ///< part of lr at the first step; at least 0
    float end = 0.0f;       ///< part of lr from step `total` on; at least 0
  };
  static constexpr failure problem_of(const options& o) {
    return first_problem(some_steps(o.total, "schedule.total"),
                         not_negative(static_cast<double>(o.begin), "schedule.begin"),
                         not_negative(static_cast<double>(o.end), "schedule.end"));
  }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    const double progress = static_cast<double>(smaller(step, o.total)) / static_cast<double>(o.total);
    return lr * (static_cast<double>(o.begin) + (static_cast<double>(o.end) - static_cast<double>(o.begin)) * progress);
  }
};
static_assert(schedule_policy<linear_rate>);

}}  // namespace ctlm
