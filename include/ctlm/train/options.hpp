// SPDX-License-Identifier: MIT
// ctlm: what a training run is told before it begins, and what each of its steps says.
#pragma once

#include "../policy/clip/clip.hpp"
#include "../policy/loss/cross_entropy_loss.hpp"
#include "../policy/optimizer/optimizer.hpp"
#include "../policy/options.hpp"
#include "../policy/schedule/schedule.hpp"
#include "groups.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What trainer::step() returns.
struct step_result {
  float loss = 0;           ///< mean over the step's tokens, before the update
  float gradient_norm = 0;  ///< Euclidean, before clipping
  float lr = 0;             ///< the schedule's learning rate of this step
  std::size_t step = 0;     ///< number of this step, the first being 0

  /// The loss or the gradient norm was not finite: weights and optimizer state are what they were before. The step
  /// counts all the same, so that data, schedule and dropout go on.
  bool skipped = false;
};

/// What trainer::judge() returns.
struct evaluation {
  double loss = 0;          ///< mean cross entropy over the targets that count, in nats
  double accuracy = 0;      ///< the share of them that was the most probable one
  std::size_t counted = 0;  ///< how many there were

  /// The exponential of the loss.
  constexpr double perplexity() const { return math::exp(loss); }
};

/// Of trainers that do not scale the loss.
struct no_scaling_options {};

/// Hyper-parameters, all with defaults: `trainer::options`. A misspelt one is named by the compiler if the options have
/// a name: `trainer::options o{.optimizer = {.lr = 1e-3f}};` and not a list in braces among a constructor's arguments.
template <class Optimizer, class Schedule, class Groups = weight_groups<>, class Clip = clip_by_norm,
          class Loss = cross_entropy_loss, class Scaling = no_scaling_options>
struct trainer_options {
  std::uint64_t seed = 1337;                ///< of the first weights and of dropout
  typename Optimizer::options optimizer{};  ///< learning rate and what else the optimizer takes
  typename Schedule::options schedule{};    ///< how the learning rate changes from step to step
  float clip_norm = 1.0f;                   ///< gradients of a larger norm are scaled down to it; 0: no clipping
  float dropout = 0.0f;                     ///< of embeddings, attention and both residual branches

  [[no_unique_address]] typename Groups::options groups{};  ///< of each of groups<...>: factors of rate and decay
  [[no_unique_address]] typename Clip::options clip{};      ///< what clip<> takes

  [[no_unique_address]] typename options_of_loss<Loss>::type loss{};  ///< what loss<> takes

  [[no_unique_address]] Scaling scaling{};  ///< with compute<f16>: how the loss is scaled (train/loss_scale.hpp)
};

/// Refuses options of policy P that it could not compute with, in words.
template <class P, class Options>
constexpr void require_policy_options([[maybe_unused]] const Options& o) {
  if constexpr (requires { P::problem_of(o); }) {
    if (const failure problem = P::problem_of(o); problem.code != errc::ok) raise(problem);
  }
}

/// Refuses numbers that a step could not compute with, in words.
template <class Optimizer, class Schedule, class Groups, class Clip, class Loss, class Scaling>
constexpr void require_options(const trainer_options<Optimizer, Schedule, Groups, Clip, Loss, Scaling>& o) {
  option_rules()
      .below_one(o.dropout, "dropout")
      .rule(o.clip_norm >= 0, "ctlm: {name} must be a number of at least 0", "clip_norm")
      .require();
  require_policy_options<Optimizer>(o.optimizer);
  require_policy_options<Schedule>(o.schedule);
  require_policy_options<Groups>(o.groups);
  require_policy_options<Clip>(o.clip);
  require_policy_options<Loss>(o.loss);
}

}}  // namespace ctlm
