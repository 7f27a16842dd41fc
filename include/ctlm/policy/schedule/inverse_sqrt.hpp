// SPDX-License-Identifier: MIT
// ctlm: a learning rate that falls with the root of the step (Vaswani et al. 2017, "Attention is all you need").
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate is lr / sqrt(1 + step / timescale): without an end, so that nobody has to know how long a run will be.
struct inverse_sqrt {
  struct options {
    std::size_t timescale = 1000;  ///< steps after which the rate is lr / sqrt(2); at least 1
  };
  static constexpr failure problem_of(const options& o) { return some_steps(o.timescale, "schedule.timescale"); }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    return lr / math::sqrt(1 + static_cast<double>(step) / static_cast<double>(o.timescale));
  }
};
static_assert(schedule_policy<inverse_sqrt>);

}}  // namespace ctlm
