// SPDX-License-Identifier: MIT
// ctlm: what rules of sampling that change logits have in common.
#pragma once

#include "../../core/math.hpp"
#include "../../core/result.hpp"
#include "../../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace sampling_detail {

/// Raises errc::invalid_argument for entry i of a rule's list if it is no token of the vocabulary.
constexpr void require_token(token t, std::size_t vocab, const char* rule, std::size_t i) {
  check(t >= 0 && static_cast<std::size_t>(t) < vocab,
        failure{errc::invalid_argument,
                "ctlm: token {token} at place {where} of {name} is outside the vocabulary of {needed}", i, vocab,
                static_cast<std::size_t>(t), rule});
}

}}}  // namespace ctlm::sampling_detail
