// SPDX-License-Identifier: MIT
// ctlm: in which numbers weights meet activations.
#pragma once

#include "bf16.hpp"
#include "f16.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Weights are decoded and multiplied in F::compute.
struct decoded {};

/// Activations are quantised to int8, group by group, as they come; products are integers. Integer weights only.
struct dynamic_int8 {};

/// decoded, dynamic_int8, or, of a trainer, bf16 and f16.
template <class C>
concept compute_policy =
    std::same_as<C, decoded> || std::same_as<C, dynamic_int8> || std::same_as<C, bf16> || std::same_as<C, f16>;

/// What a weight format is paired with unless the user says otherwise.
template <format F>
using default_compute = std::conditional_t<quantised_format<F> || mixed_format<F>, dynamic_int8, decoded>;

}}  // namespace ctlm
