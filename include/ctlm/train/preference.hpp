// SPDX-License-Identifier: MIT
// ctlm: direct preference optimisation (Rafailov et al. 2023): of two answers, the chosen one becomes more probable
// than the rejected one, measured against a model that does not change.
#pragma once

#include "../kernels/smoothed_cross_entropy.hpp"
#include "chunked_head.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What prefer() is told.
struct preference {
  float beta = 0.1f;             ///< how much a change of the log probabilities counts; above 0
  float label_smoothing = 0.0f;  ///< the share of pairs that are believed to be the wrong way round; less than 0.5
};

/// What prefer() and compare() found in a step or a micro-batch, before the update.
struct preference_result {
  double loss = 0;      ///< mean over pairs, in nats
  double accuracy = 0;  ///< the share of pairs whose chosen answer has gained more than the rejected one
  double margin = 0;    ///< mean of beta * (what the chosen answer has gained - what the rejected one has)
};

/// Targets of a micro-batch of pairs: sequence 2i is the chosen answer, 2i + 1 the rejected one. Rows whose target is
/// ignore_token, those of the prompt, take no part. Head and loss go over the rows twice: first for the log
/// probabilities of the sequences, then for gradients.
template <class Batch, class Reference, class T>
struct preference_targets {
  static_assert(Batch::batch % 2 == 0, "ctlm: preferences come in pairs: config.batch must be even");
  static constexpr std::size_t pairs = Batch::batch / 2;  ///< of a micro-batch

  const token* tokens;        ///< [rows]
  Reference* reference;       ///< has read the same tokens
  const preference& options;  ///< of the run
  preference_result& sums;    ///< over the pairs of the step so far
  T* weights;                 ///< [batch] of each sequence's rows, which prepare() finds

  /// Finds what each sequence's gradients count. `losses` [rows] are negative log likelihoods.
  template <class Context>
  constexpr double prepare(Context& c, std::size_t outputs, const T* losses) const {
    for (std::size_t s = 0; s < Batch::batch; ++s) weights[s] = 0;
    constexpr std::size_t chunk = smaller(Batch::rows, 256);
    for (std::size_t first = 0; first < Batch::rows; first += chunk) {
      const std::size_t n = smaller(chunk, Batch::rows - first);
      const T* const logits = reference->logits(first, n);
      for (std::size_t r = 0; r < n; ++r)
        if (const token t = tokens[first + r]; t != ignore_token)
          weights[(first + r) / Batch::sequence] +=  // what the model has gained over the reference
              negative_log_likelihood(c.backend, outputs, logits + r * outputs, static_cast<std::size_t>(t)) -
              losses[first + r];
    }
    double total = 0;
    for (std::size_t p = 0; p < pairs; ++p) total += pair(weights[2 * p], weights[2 * p + 1]);
    return total;
  }
  /// Losses of rows, and gradients, as of token_targets.
  template <class Context>
  constexpr gradients<T> loss(Context& c, std::size_t first, std::size_t n, std::size_t outputs, values<T> logits,
                              T scale, T* losses) const {
    weighted_cross_entropy(c.backend, *c.exec, first, n, outputs, logits.data, tokens + first,
                           static_cast<const T*>(weights), Batch::sequence, scale, losses);
    return {logits.data};
  }

 private:
  /// The loss of a pair whose answers have gained so much; these become the weights of their rows.
  constexpr double pair(T& chosen, T& rejected) const {
    const auto beta = static_cast<double>(options.beta), smoothing = static_cast<double>(options.label_smoothing);
    const double margin = beta * (static_cast<double>(chosen) - static_cast<double>(rejected));
    const double wrong = 1 / (1 + math::exp(margin));  // the probability of the other order
    const double found = (1 - smoothing) * softplus(-margin) + smoothing * softplus(margin);
    const double slope = beta * ((1 - smoothing) * wrong - smoothing * (1 - wrong));
    chosen = static_cast<T>(slope);
    rejected = static_cast<T>(-slope);
    sums.loss += found;
    sums.accuracy += margin > 0 ? 1 : 0;
    sums.margin += margin;
    return found;
  }
  /// log(1 + exp(x)).
  static constexpr double softplus(double x) { return math::max(x, 0.0) + math::log(1 + math::exp(-math::abs(x))); }
};

}}  // namespace ctlm
