// SPDX-License-Identifier: MIT
// ctlm: the sizes of a training step, from a model and a recipe.
#pragma once

#include "../model/causal_lm.hpp"
#include "../model/vocabulary.hpp"
#include "config.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// M is a causal_lm, Recipe a tag with `static constexpr train_config config`.
template <class M, class Recipe>
struct batch_shape {
  static constexpr train_config config = Recipe::config;  ///< the recipe's
  static constexpr std::size_t batch = config.batch;      ///< sequences of a micro-batch

  /// Tokens of a sequence.
  static constexpr std::size_t sequence = config.sequence == 0 ? M::shape.context : config.sequence;
  static constexpr std::size_t accumulate = config.accumulate;  ///< micro-batches of a step
  static constexpr std::size_t rows = batch * sequence;         ///< tokens of a micro-batch
  static_assert(batch > 0 && accumulate > 0, "ctlm: config.batch and config.accumulate must be at least 1");
  static_assert(sequence <= M::shape.context, "ctlm: config.sequence is longer than the model's context");
};

/// Refuses other than `needed` tokens, with the words `what`, and tokens outside the vocabulary.
constexpr void require_batch(const char* what, span<const token> inputs, std::size_t needed, std::size_t vocab) {
  check(inputs.size() == needed, failure{errc::invalid_argument, what, 0, needed, inputs.size()});
  require_tokens(inputs, vocab);
}
/// The same of tokens and their targets. Returns the number of targets that count.
constexpr std::size_t require_batch(const char* what, span<const token> inputs, span<const token> targets,
                                    std::size_t needed, std::size_t vocab) {
  check(targets.size() == needed, failure{errc::invalid_argument, what, 0, needed, targets.size()});
  require_batch(what, inputs, needed, vocab);
  return count_targets(targets, vocab);
}

}}  // namespace ctlm
