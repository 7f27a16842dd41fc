// SPDX-License-Identifier: MIT
// ctlm: names of the release before this one, which the next release no longer has.
//
// `tanh` and `sigmoid` were structs, and clashed with the functions of <cmath> under `using namespace ctlm`: they come
// only where CTLM_OLD_ACTIVATION_NAMES is defined before this header.
#pragma once

#include "policy/activation/all.hpp"
#include "policy/slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

template <std::derived_from<portable> B>
using arch [[deprecated("ctlm: arch<> is called backend<> now")]] = backend<B>;
template <std::size_t N>
using prefill [[deprecated("ctlm: prefill<> is called prompt_chunk<> now")]] = prompt_chunk<N>;

#ifdef CTLM_OLD_ACTIVATION_NAMES
using tanh [[deprecated("ctlm: tanh is called tanh_activation now")]] = tanh_activation;
using sigmoid [[deprecated("ctlm: sigmoid is called sigmoid_activation now")]] = sigmoid_activation;
#endif

}}  // namespace ctlm
