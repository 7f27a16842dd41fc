// SPDX-License-Identifier: MIT
// ctlm: what is done to gradients between the backward pass and the update.
#pragma once

#include "../../kernels/primitives.hpp"
#include "../options.hpp"
#include "../slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// P::options holds run-time parameters; P::apply(backend, n, g, norm, options) changes the n gradients of one tensor
/// of one layer in their place, where `norm` is the Euclidean norm of all gradients. What is left is then clipped to
/// clip_norm. P::problem_of(options) is optional (policy/options.hpp).
template <class P>
concept clip_policy = requires(float* g, const typename P::options& o) {
  P::apply(portable{}, std::size_t{}, g, 1.0, o);
};

/// Slot of a trainer: what is done to gradients before they are clipped to clip_norm (default clip_by_norm: nothing).
template <clip_policy P>
using clip = slot<slot_kind::clip, P>;

/// Nothing but clip_norm. No options.
struct clip_by_norm {
  struct options {};
  template <class Backend, class T>
  static constexpr void apply(Backend, std::size_t, T*, double, const options&) {}
};
static_assert(clip_policy<clip_by_norm>);

}}  // namespace ctlm
