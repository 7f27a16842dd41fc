// SPDX-License-Identifier: MIT
// ctlm: what a learning rate schedule is, and the constant one.
#pragma once

#include "../../core/math.hpp"
#include "../options.hpp"
#include "../slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// S::options holds run-time parameters; S::rate(options, lr, step) is the learning rate of a step, the first being 0.
/// S::problem_of(options) is optional (policy/options.hpp).
template <class S>
concept schedule_policy = requires(const typename S::options& o) {
  { S::rate(o, 1e-3, std::size_t{0}) } -> std::same_as<double>;
};

/// Slot of a trainer: the learning rate of each step (default constant_rate).
template <schedule_policy S>
using schedule = slot<slot_kind::schedule, S>;

/// What is wrong with a schedule's factor, which must be above 0 and at most 1.
constexpr failure factor_problem(double gamma) {
  return option_problem(gamma > 0 && gamma <= 1, "ctlm: {name} must be above 0 and at most 1", "schedule.gamma");
}

/// The optimizer's lr at every step. No options.
struct constant_rate {
  struct options {};
  static constexpr double rate(const options&, double lr, std::size_t) { return lr; }
};
static_assert(schedule_policy<constant_rate>);

}}  // namespace ctlm
