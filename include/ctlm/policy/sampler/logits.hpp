// SPDX-License-Identifier: MIT
// ctlm: logits whose type says that the vocabulary is large. Samplers search such a one in a faster way, which is more
// code; programs with small vocabularies do not have it.
#pragma once

#include "../../core/span.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Tokens from which on a vocabulary is large.
inline constexpr std::size_t large_vocabulary = 32768;

/// Logits of a large vocabulary, [vocab]: a span, and the same as one for whoever does not ask.
template <class T>
struct many_logits : span<T> {
  using span<T>::span;
};

/// The type of a model's logits.
template <class T, std::size_t Vocab>
using logits_span = std::conditional_t<(Vocab >= large_vocabulary), many_logits<T>, span<T>>;

}}  // namespace ctlm
