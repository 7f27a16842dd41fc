// SPDX-License-Identifier: MIT
// ctlm: what a head is: it turns the final rows of a model into the numbers that a loss looks at. And the usual one, a
// projection to the vocabulary.
#pragma once

#include "../../kernels/linear.hpp"
#include "../../tensor/meaning.hpp"
#include "../slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// H::outputs<M> is how many numbers a row becomes.
/// H::forward(context, weights, n, rows, out): out[n][outputs] of rows[n][d_model].
/// H::backward(context, weights, weight_gradients, n, rows, dout, drows, accumulate): the gradients of the weights that
/// forward read are added where `accumulate`, and written otherwise; drows[n][d_model] is written.
template <class H>
concept head_policy = requires {
  { H::name } -> std::convertible_to<const char*>;
};

/// Whether a head has weights beside the model's: then it is made of vectors of whole sequences, and brings its loss
/// (sequence_head.hpp).
template <class H>
inline constexpr bool has_own_weights = requires {
  typename H::pooling;
};

/// Slot of a trainer: what stands between the model and the loss (default vocabulary_head).
template <head_policy H>
using head = slot<slot_kind::head, H>;

/// One logit for every token of the vocabulary: a product with the token embedding, where the two are tied, or with a
/// matrix of its own.
struct vocabulary_head {
  static constexpr const char* name = "vocabulary";
  template <class M>
  static constexpr std::size_t outputs = M::shape.vocab;

  template <class Context, class W, class T>
  static constexpr void forward(Context& c, const W& w, std::size_t n, values<const T> rows, values<T> out) {
    linear(c.backend, *c.exec, n, rows.data, w.head(), linear_terms<T>{}, out.data, c.linear);
  }
  template <class Context, class W, class G, class T>
  static constexpr void backward(Context& c, const W& w, const G& g, std::size_t n, values<const T> rows,
                                 gradients<const T> dout, gradients<T> drows, bool accumulate) {
    linear_backward_weight(c.backend, *c.exec, n, dout.data, rows.data, g.head(), accumulate, static_cast<T*>(nullptr),
                           c.linear);
    linear_backward_input(c.backend, *c.exec, n, dout.data, w.head(), drows.data, false, c.linear);
  }
};
static_assert(head_policy<vocabulary_head>);

}}  // namespace ctlm
