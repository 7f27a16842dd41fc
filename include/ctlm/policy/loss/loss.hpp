// SPDX-License-Identifier: MIT
// ctlm: what a loss is.
#pragma once

#include "../../kernels/cross_entropy.hpp"
#include "../../tensor/meaning.hpp"
#include "../slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// L::apply(backend, exec, rows, n, logits, targets, scale, losses): of `rows` rows of n logits, losses[r] receives the
/// loss of row r, and the logits become scale * its derivatives by them, which are returned. A target of ignore_token
/// means a loss and gradients of 0. Every row's result depends on that row alone. A loss with run-time options has a
/// type L::options, which apply may take last; L::problem_of(options) is optional (policy/options.hpp).
template <class L>
concept loss_policy = requires(serial& exec, values<float> logits, const token* targets, float* losses) {
  { L::name } -> std::convertible_to<const char*>;
  {
    L::apply(portable{}, exec, std::size_t{}, std::size_t{}, logits, targets, 1.0f, losses)
    } -> std::same_as<gradients<float>>;
};

/// The options of a loss: none, if it has none.
template <class L>
struct options_of_loss {
  struct type {};
};
template <class L>
requires requires { typename L::options; }
struct options_of_loss<L> {
  using type = typename L::options;
};

/// Slot of a trainer: what its steps make small (default cross_entropy_loss).
template <loss_policy L>
using loss = slot<slot_kind::loss, L>;

}}  // namespace ctlm
