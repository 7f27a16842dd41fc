// SPDX-License-Identifier: MIT
// ctlm: where the numbers of one transformer block lie while it computes.
#pragma once

#include "routing.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Where the intermediate results of one block lie, as T. Real are numbers of arithmetic: another type than T where the
/// backward pass finds them rounded. For inference, mid and out may be x itself: each takes the place of
/// the one before. For training they are separate, and kept for the backward pass.
template <class T, class Statistics, class Real = T>
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
  routing<Real> routed{};        ///< of models with experts alone: which rows take which
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

/// The same where the forward pass left rounded numbers alone.
template <class T>
struct widening_block_scratch : block_scratch<T> {
  T* up = nullptr;        ///< [rows][up_dim] what the activation saw; then its gradient
  T* attended = nullptr;  ///< [rows][q_dim] what attention made, for products that take no rounded numbers
  T* branch = nullptr;    ///< [rows][d_model] of models with post_norms: what a part added before its norm
};
/// What there is of those.
template <class T>
constexpr widening_block_scratch<T> widening_parts(const block_scratch<T>&) {
  return {};
}
template <class T>
constexpr const widening_block_scratch<T>& widening_parts(const widening_block_scratch<T>& b) {
  return b;
}

/// A block_state of a forward pass whose backward pass reads rounded copies.
template <class T, class Statistics, class Stored>
struct saving_block_state : block_state<T, Statistics> {
  block_state<Stored, Statistics, T> saved{};  ///< where those go
};
/// Whether S is one.
template <class S>
concept saves_copies = requires(const S& s) {
  s.saved;
};

/// Rounds n numbers for the backward pass, or widens them again.
template <class Context, class From, class To>
CTLM_NOINLINE constexpr void convert_numbers(Context& c, std::size_t n, const From* from, To* to) {
  parallel_for(*c.exec, n, 16384, [&](std::size_t first, std::size_t count, std::size_t) {
    if constexpr (stored_in_16_bits<To>)
      elementwise(
          c.backend, count, [](const auto& x, auto& y) { y = x; }, from + first, to + first);
    else
      elementwise(
          c.backend, count, [](auto& y, const auto& x) { y = x; }, to + first, from + first);
  });
}
/// n numbers that the forward pass left: where they lie, or, where they are rounded, a widened copy in `scratch`.
template <class Context, class T>
constexpr T* numbers_of(Context&, std::size_t, T* x, T*) {
  return x;
}
template <class Context, class S, class T>
requires stored_in_16_bits<S>
constexpr T* numbers_of(Context& c, std::size_t n, S* x, T* scratch) {
  convert_numbers(c, n, static_cast<const S*>(x), scratch);
  return scratch;
}

}}  // namespace ctlm
