// SPDX-License-Identifier: MIT
// ctlm: what an optimizer is.
#pragma once

#include "../../kernels/primitives.hpp"
#include "../options.hpp"
#include "../slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What an optimizer is told of one update, beside its options.
struct update {
  double lr;              ///< the learning rate of this step, as the schedule has it
  std::size_t step;       ///< the step's number; the first is 1
  double gradient_scale;  ///< gradients are multiplied by it first: less than 1 where they are clipped
  bool decay;             ///< whether these weights decay: matrices do, gains and biases do not
};

/// O::options holds run-time hyper-parameters, lr among them; O::moments is how many numbers of state each weight has;
/// O::apply(backend, n, w, g, moments, options, update) updates n weights in one pass. Every element's result depends
/// on that element alone, so that any split among threads gives the same bits. O::problem_of(options) is optional
/// (policy/options.hpp).
template <class O>
concept optimizer_policy = requires(float* w, const float* g, float** m, const typename O::options& o,
                                    const update& u) {
  { O::moments } -> std::convertible_to<std::size_t>;
  { O::name } -> std::convertible_to<const char*>;
  { o.lr } -> std::convertible_to<double>;
  O::apply(portable{}, std::size_t{}, w, g, m, o, u);
};

/// Slot of a trainer: how gradients become steps (default adamw).
template <optimizer_policy O>
using optimizer = slot<slot_kind::optimizer, O>;

}}  // namespace ctlm
