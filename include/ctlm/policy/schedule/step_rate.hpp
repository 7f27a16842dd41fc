// SPDX-License-Identifier: MIT
// ctlm: a learning rate that falls in stairs.
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate falls to gamma times itself after every `every` steps.
struct step_rate {
  struct options {
    std::size_t every = 1000;  ///< steps between two falls; at least 1
    float gamma = 0.1f;        ///< the factor of each; above 0, at most 1
  };
  static constexpr failure problem_of(const options& o) {
    return first_problem(some_steps(o.every, "schedule.every"), factor_problem(static_cast<double>(o.gamma)));
  }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    const std::size_t falls = step / o.every;
    return lr * math::pow(static_cast<double>(o.gamma), static_cast<double>(falls));
  }
};
static_assert(schedule_policy<step_rate>);

}}  // namespace ctlm
