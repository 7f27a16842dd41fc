// SPDX-License-Identifier: MIT
// ctlm: where dropout acts in a decoder, and with which masks.
#pragma once

#include "../kernels/dropout.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The dropout masks of one micro-batch, one for each place where dropout acts. The default drops nothing.
struct dropout_masks {
  std::uint64_t stream = 0;  ///< seed, step and micro-batch, mixed: equal streams drop equal numbers
  double rate = 0;           ///< the share of numbers that is dropped; 0: none

  /// Of the embedded tokens.
  constexpr dropout_mask embedding() const { return at(embeddings, 0); }
  /// Of the probabilities of a layer's attention.
  constexpr dropout_mask attention(std::size_t layer) const { return at(layer, 1); }
  /// Of what a layer's attention part adds to the residual stream.
  constexpr dropout_mask residual1(std::size_t layer) const { return at(layer, 2); }
  /// Of what a layer's feed-forward part adds to it.
  constexpr dropout_mask residual2(std::size_t layer) const { return at(layer, 3); }

  std::size_t embeddings = 0;  ///< a number that no layer has: the number of layers

 private:
  constexpr dropout_mask at(std::size_t layer, std::size_t place) const {
    return rate > 0 ? dropout_mask(mix(stream, layer * 4 + place), rate) : dropout_mask{};
  }
};

}}  // namespace ctlm
