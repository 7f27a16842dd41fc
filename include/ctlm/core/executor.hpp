// SPDX-License-Identifier: MIT
// ctlm: what runs work, and the executor without threads.
#pragma once

#include "result.hpp"

#include <concepts>

namespace ctlm { inline namespace CTLM_ABI {

/// Runs f(task, worker) for every task in [0, tasks), in any order, and returns when all are done; worker < workers().
/// Which worker takes a task must not matter to the result: kernels split work by size, never by thread count.
template <class E>
concept executor = requires(E& e) {
  { E::max_workers } -> std::convertible_to<std::size_t>;
  { e.workers() } -> std::convertible_to<std::size_t>;
  e.run(std::size_t{1}, [](std::size_t, std::size_t) {});
};

/// The executor without threads: the calling thread does every task. Takes no memory.
struct serial {
  static constexpr std::size_t max_workers = 1;
  constexpr std::size_t workers() const { return 1; }
  template <class F>
  constexpr void run(std::size_t tasks, F&& f) {
    for (std::size_t t = 0; t < tasks; ++t) f(t, std::size_t{0});
  }
};
static_assert(executor<serial>);

/// Shares [0, n) in pieces of `grain` items: f(first, count, worker). The pieces do not depend on the thread count.
template <executor E, class F>
constexpr void parallel_for(E& exec, std::size_t n, std::size_t grain, F&& f) {
  check(grain > 0, errc::invalid_argument, "ctlm: parallel_for was given pieces of 0 items: grain must be at least 1");
  exec.run(n / grain + (n % grain != 0), [&](std::size_t task, std::size_t worker) {
    const std::size_t first = task * grain;
    f(first, smaller(grain, n - first), worker);
  });
}

}}  // namespace ctlm
