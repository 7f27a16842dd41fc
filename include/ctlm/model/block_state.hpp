// SPDX-License-Identifier: MIT
// ctlm: where the numbers of one transformer block lie while it computes.
#pragma once

#include "routing.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Where the intermediate results of one block lie. For inference, mid and out may be x itself: each takes the place of
/// the one before. For training they are separate, and kept for the backward pass.
template <class T, class Statistics>
struct block_state {
  T* x = nullptr;               ///< [rows][d_model] the block's input
  T* normed = nullptr;          ///< [rows][d_model] the normalised input of a projection, for a moment
  T* qkv = nullptr;             ///< [rows][qkv_dim] queries, keys and values; rotated once attention has run
  T* attended = nullptr;        ///< [rows][q_dim] what attention makes of the values
  T* mid = nullptr;             ///< [rows][d_model] x and what the attention part adds to it
  T* up = nullptr;              ///< [rows][up_dim] what the activation sees; with experts, [picks][up_dim]
  T* activated = nullptr;       ///< [rows][d_ff] what it makes of it, for a moment
  T* out = nullptr;             ///< [rows][d_model] the block's output
  Statistics* norm1 = nullptr;  ///< [rows] of the first norm, or nullptr where no backward pass follows
  Statistics* norm2 = nullptr;  ///< [rows] of the second norm, or nullptr
  // Of models with post_norms alone: what attention, and the feed-forward layer, add before their norm.
  T* branch1 = nullptr;          ///< [rows][d_model]
  T* branch2 = nullptr;          ///< [rows][d_model]
  Statistics* after1 = nullptr;  ///< [rows], or nullptr
  Statistics* after2 = nullptr;  ///< [rows], or nullptr
  routing<T> routed{};           ///< of models with experts alone: which rows take which
};

/// Scratch of the backward pass of a block, shared by all layers.
template <class T>
struct block_scratch {
  T* normed = nullptr;     ///< [rows][d_model] the normalised input of a projection, computed again
  T* dnormed = nullptr;    ///< [rows][d_model] its gradient
  T* activated = nullptr;  ///< [rows][d_ff] the activated numbers, computed again; then their gradient
  T* dattended = nullptr;  ///< [rows][q_dim] gradient of what attention made
  T* dqkv = nullptr;       ///< [rows][qkv_dim] gradient of queries, keys and values
  // Of models with experts alone.
  T* moved = nullptr;       ///< [rows][d_model] rows of one expert, for a moment
  T* dactivated = nullptr;  ///< [rows][d_ff] gradient of one expert's activated numbers, for a moment
  T* dshares = nullptr;     ///< [picks] gradient of the shares
};

}}  // namespace ctlm
