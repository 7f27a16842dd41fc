// SPDX-License-Identifier: MIT
// ctlm: a warm-up before any schedule.
#pragma once

#include "schedule.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rate rises to that of S's first step in equal parts during `warmup` steps; then S begins:
/// schedule<warmed<stable_decay>> with the options .schedule = {.warmup = 100, .then = {.stable = 800, .decay = 100}}.
template <schedule_policy S>
struct warmed {
  struct options {
    std::size_t warmup = 0;      ///< steps before S begins
    typename S::options then{};  ///< those of S, whose steps count from the end of the warm-up
  };
  static constexpr failure problem_of(const options& o) { return options_problem<S>(o.then); }
  static constexpr double rate(const options& o, double lr, std::size_t step) {
    if (step >= o.warmup) return S::rate(o.then, lr, step - o.warmup);
    return S::rate(o.then, lr, 0) * static_cast<double>(step + 1) / static_cast<double>(o.warmup);
  }
};

}}  // namespace ctlm
