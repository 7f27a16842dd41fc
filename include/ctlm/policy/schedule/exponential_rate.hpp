// SPDX-License-Identifier: MIT
// ctlm: a learning rate that falls by the same factor at each step.
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate of a step is gamma times that of the step before: lr * gamma^step.
struct exponential_rate {
  struct options {
    float gamma = 0.999f;  ///< the factor of each step; above 0, at most 1
  };
  static constexpr failure problem_of(const options& o) { return factor_problem(static_cast<double>(o.gamma)); }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    return lr * math::pow(static_cast<double>(o.gamma), static_cast<double>(step));
  }
};
static_assert(schedule_policy<exponential_rate>);

}}  // namespace ctlm
