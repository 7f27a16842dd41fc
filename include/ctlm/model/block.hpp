// SPDX-License-Identifier: MIT
// ctlm: the transformer block, the same for training and for inference: x + attention(norm(x)), then
// x + feed_forward(norm(x)); and its backward pass.
#pragma once

#include "../policy/norm/layer_norm.hpp"
#include "../policy/norm/rms_norm.hpp"
#include "attention_part.hpp"
#include "experts_part.hpp"
#include "factored_projection.hpp"
#include "feed_forward_part.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// One block over `rows` tokens. Dropout1 and dropout2 act on what attention and the feed-forward layer add.
template <class M, class Context, class W, class S, class Attend, class Dropout>
constexpr void block_forward(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s, Attend attend,
                             const Dropout& dropout1, const Dropout& dropout2) {
  attention_part_forward<M>(c, w, layer, rows, s, attend, dropout1);
  feed_forward_part<M>::forward(c, w, layer, rows, s, dropout2);
}

/// The block as far as its backward pass needs it: all but the last projection.
template <class M, class Context, class W, class S, class Attend, class Dropout>
constexpr void block_until_activation(Context& c, const W& w, std::size_t layer, std::size_t rows, const S& s,
                                      Attend attend, const Dropout& dropout1) {
  attention_part_forward<M>(c, w, layer, rows, s, attend, dropout1);
  feed_forward_part<M>::until_activation(c, w, layer, rows, s);
}

/// dx holds the gradient of the block's output and becomes that of its input. Gradients of the weights go to g: those
/// of matrices are added where `accumulate` and written otherwise, those of vectors are added. The saved
/// pre-activations in s.up are consumed.
template <class M, class Context, class W, class G, class S, class B, class T, class Attend>
constexpr void block_backward(Context& c, const W& w, const G& g, std::size_t layer, std::size_t rows, const S& s,
                              const B& b, T* dx, Attend attend_backward, const dropout_mask& dropout1,
                              const dropout_mask& dropout2, bool accumulate) {
  feed_forward_part<M>::backward(c, w, g, layer, rows, s, b, dx, dropout2, accumulate);
  attention_part_backward<M>(c, w, g, layer, rows, s, b, dx, attend_backward, dropout1, accumulate);
}

}}  // namespace ctlm
