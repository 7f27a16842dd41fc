// SPDX-License-Identifier: MIT
// ctlm: where the numbers of one transformer block lie while it computes.
#pragma once

#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Where the intermediate results of one block lie. Buffers that hold the same thing in sequence may be the same
/// memory; mid and out may be x itself (inference), or separate, to be kept for the backward pass.
template <class T, class Statistics>
struct block_state {
  T* x = nullptr;               // [rows][d_model] input
  T* normed = nullptr;          // [rows][d_model] scratch
  T* qkv = nullptr;             // [rows][qkv_dim]
  T* attended = nullptr;        // [rows][q_dim]
  T* mid = nullptr;             // [rows][d_model] after attention
  T* up = nullptr;              // [rows][up_dim] before the activation
  T* activated = nullptr;       // [rows][d_ff] scratch
  T* out = nullptr;             // [rows][d_model]
  Statistics* norm1 = nullptr;  // [rows], or nullptr
  Statistics* norm2 = nullptr;
};

/// Scratch of the backward pass of a block, shared by all layers.
template <class T>
struct block_scratch {
  T* normed = nullptr;     // [rows][d_model] a normalised input, recomputed
  T* dnormed = nullptr;    // [rows][d_model]
  T* activated = nullptr;  // [rows][d_ff] recomputed
  T* dattended = nullptr;  // [rows][q_dim]
  T* dqkv = nullptr;       // [rows][qkv_dim]
};

}}  // namespace ctlm
