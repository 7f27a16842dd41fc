// SPDX-License-Identifier: MIT
// ctlm: what a head with weights of its own makes of a text in a session, whatever format the model's weights are in. A
// program that predicts includes this file by name.
#pragma once

#include "../policy/head/classification.hpp"
#include "../policy/head/regression.hpp"
#include "causal_lm.hpp"
#include "head_weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Writes what the head makes of `tokens`, at least 1, to outputs[H::outputs]: logits of classes, say. The session
/// forgets what it had, and has these tokens afterwards. Raises errc::invalid_argument for no tokens, or another number
/// of outputs, and what session::take raises. The vector is on the stack: d_model numbers.
template <class Session, sequence_head H, std::size_t D, class T>
constexpr void predict(Session& session, const basic_head_weights<H, D, T>& head, span<const token> tokens,
                       span<T> outputs) {
  static_assert(D == Session::shape.d_model && std::same_as<T, typename Session::real>,
                "ctlm: this head was made for vectors of another model: d_model and the numbers must be the same");
  check(!tokens.empty(), errc::invalid_argument, "ctlm: predict needs at least one token");
  check(outputs.size() == H::outputs,
        failure{errc::invalid_argument, "ctlm: predict needs room for the head's {needed} outputs, not {had}", 0,
                H::outputs, outputs.size()});
  constexpr typename Session::model::backend_policy backend{};
  T vector[D]{};
  session.reset();
  session.final_rows(tokens, [&](std::size_t i, span<const T> row) {
    add_row<typename H::pooling>(backend, D, i, tokens.size(), row.data(), static_cast<T*>(vector));
  });
  const head_numbers<const T> weights = head.numbers();
  H::forward(backend, weights, D, static_cast<const T*>(vector), outputs.data());
}

/// What classify() finds.
struct class_found {
  token label = 0;         ///< the number of the most probable class
  double probability = 0;  ///< that the head gives it
};

/// The class of a text: that of predict() with the highest logit.
template <class Session, sequence_head H, std::size_t D, class T>
requires requires(const T* out) { H::most_probable(out); }
constexpr class_found classify(Session& session, const basic_head_weights<H, D, T>& head, span<const token> tokens) {
  T out[H::outputs]{};
  predict(session, head, tokens, span<T>(out));
  softmax(typename Session::model::backend_policy{}, H::outputs, static_cast<T*>(out));
  const token label = H::most_probable(static_cast<const T*>(out));
  return {label, static_cast<double>(out[static_cast<std::size_t>(label)])};
}

}}  // namespace ctlm
