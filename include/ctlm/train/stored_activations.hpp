// SPDX-License-Identifier: MIT
// ctlm: the memory plan of a training step whose backward pass reads what the forward pass computed in 16 bits
// (Micikevicius et al. 2018, "Mixed Precision Training"). The forward pass computes in the numbers of arithmetic, in
// memory that all layers share, and leaves rounded copies of a layer's numbers once they are final.
#pragma once

#include "activations.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Kept rounded: a layer's input, queries, keys and values, what attention made, the rows between the two parts, what
/// the activation sees, and, with post_norms, what the parts add. Kept as they are: the statistics of norms, the
/// logarithms of attention's sums, what routers chose, the last block's output, and the inputs of the `recomputed`
/// layers, so that computing them again yields the same bits. In_part: of a trainer with train_only<>. Stored: bfloat
/// or half.
template <class M, class Batch, std::size_t recomputed, bool in_part, class Stored>
struct stored_activations : activation_memory<M, Batch, recomputed> {
  using plain = activation_memory<M, Batch, recomputed>;  ///< the same in the numbers of arithmetic
  using plain::shape, plain::rows, plain::d, plain::layers, plain::last, plain::dx, plain::normed, plain::dnormed,
      plain::dattended, plain::dqkv;
  using typename plain::real, typename plain::statistics;
  /// Whether products read what attention and the activation made as it is stored.
  static constexpr bool direct = !in_part && !shape.is_factored();
  /// Whether the gradient of what the activation saw and that of what it made share memory (activates_in_place).
  static constexpr bool in_place = direct && !M::activation_policy::gated && shape.experts == 0;

  block_state<Stored, statistics, real> kept[shape.layers]{};  ///< the rounded copies
  real* up = nullptr;        ///< [rows][up_dim] what the activation sees, and then its gradient
  real* attended = nullptr;  ///< [rows][q_dim] what attention made, widened for products that are not `direct`
  real* branch = nullptr;    ///< [rows][d_model] of models with post_norms: what a part adds before its norm

  /// As activation_memory::place().
  template <class A>
  constexpr void place(A& a, std::size_t head_numbers) {
    last = a.template allocate<real>(rows * d);
    for (std::size_t l = 0; l < shape.layers; ++l) place_layer(a, l);
    this->last_statistics = a.template allocate<statistics>(rows);
    this->angles = rotary_angles<real>::place(a, shape, Batch::sequence);
    // Three buffers of rows serve all passes: what one has read to its end is written by the next.
    normed = this->final_rows = dx = a.template allocate<real>(rows * d);
    dnormed = this->dfinal_rows = a.template allocate<real>(rows * d);
    if constexpr (shape.post_norms) branch = a.template allocate<real>(rows * d);
    overlay(
        a, [&](auto& head) { this->head_out = head.template allocate<real>(head_numbers); },
        [&](auto& feed_forward) { place_feed_forward(feed_forward); },
        [&](auto& attention) { place_attention(attention); });
    for (std::size_t l = 0; l < shape.layers; ++l) {
      auto& s = layers[l];
      s.mid = dnormed;
      s.out = l + 1 < shape.layers ? layers[l + 1].x : last;
      s.qkv = dqkv;
      s.attended = dattended;
      s.branch1 = s.branch2 = branch;
      s.up = up;
    }
  }

  /// As activation_memory::of_layer(): the shared buffers, with the places of the layer's copies.
  constexpr saving_block_state<real, statistics, Stored> of_layer(std::size_t layer) const {
    return {plain::of_layer(layer), kept[layer]};
  }
  /// The same in the middle of a backward pass, which has read `last` and uses its memory; that of `normed` is dx.
  constexpr saving_block_state<real, statistics, Stored> repeated(std::size_t layer) const {
    auto s = of_layer(layer);
    s.normed = last;
    return s;
  }
  /// What the backward pass finds of a layer.
  constexpr const block_state<Stored, statistics, real>& saved(std::size_t layer) const { return kept[layer]; }
  /// The shared buffers that a backward pass through a layer writes to.
  constexpr widening_block_scratch<real> scratch() const {
    widening_block_scratch<real> b{plain::scratch()};
    b.normed = last;
    b.up = up;
    b.attended = attended;
    b.branch = branch;
    return b;
  }

 private:
  template <class A>
  constexpr void place_layer(A& a, std::size_t layer) {
    auto& s = layers[layer];
    s.x = layer < recomputed ? a.template allocate<real>(rows * d) : last;
    this->log_sums[layer] = a.template allocate<real>(rows * shape.heads);
    s.norm1 = a.template allocate<statistics>(rows);
    s.norm2 = a.template allocate<statistics>(rows);
    auto& k = kept[layer];
    if (layer > 0 && layer < recomputed) {  // one set of copies for all of them
      k = kept[0];
      s.routed = layers[0].routed;
    } else {
      k.x = a.template allocate<Stored>(rows * d);
      k.qkv = a.template allocate<Stored>(rows * shape.qkv_dim());
      k.attended = a.template allocate<Stored>(rows * shape.q_dim());
      k.mid = a.template allocate<Stored>(rows * d);
      if constexpr (shape.post_norms) k.branch1 = a.template allocate<Stored>(rows * d);
      k.up = a.template allocate<Stored>(rows * shape.feed_forwards_per_token() * shape.up_dim());
      s.routed = routing<real>::place(a, shape, rows);
    }
    if constexpr (shape.post_norms) {
      s.after1 = a.template allocate<statistics>(rows);
      s.after2 = a.template allocate<statistics>(rows);
      k.branch2 = a.template allocate<Stored>(rows * d);
    }
    k.norm1 = s.norm1;
    k.norm2 = s.norm2;
    k.after1 = s.after1;
    k.after2 = s.after2;
    k.routed = s.routed;
  }
  template <class A>
  constexpr void place_feed_forward(A& a) {
    up = a.template allocate<real>(rows * shape.feed_forwards_per_token() * shape.up_dim());
    this->activated = in_place ? up : a.template allocate<real>(rows * shape.d_ff);
    if constexpr (shape.experts > 0) {
      this->moved = a.template allocate<real>(rows * d);
      this->dactivated = a.template allocate<real>(rows * shape.d_ff);
      this->dshares = a.template allocate<real>(rows * shape.experts_per_token);
    }
  }
  template <class A>
  constexpr void place_attention(A& a) {
    dattended = a.template allocate<real>(rows * shape.q_dim());
    dqkv = a.template allocate<real>(rows * shape.qkv_dim());
    if constexpr (!direct) attended = a.template allocate<real>(rows * shape.q_dim());
    if constexpr (shape.qk_norm) {
      this->turned = a.template allocate<real>(rows * shape.qkv_dim());
      this->raw = a.template allocate<real>(rows * shape.qkv_dim());
      this->head_statistics = a.template allocate<statistics>(rows * (shape.heads + shape.kv_heads));
    }
  }
};

/// The activations of a trainer. Slots is a trainer_slots.
template <class M, class Batch, class Slots>
using activations_of = std::conditional_t<
    Slots::stores_activations,
    stored_activations<M, Batch, Slots::recomputed, Slots::in_part, typename Slots::activation_format::element>,
    activation_memory<M, Batch, Slots::recomputed>>;

}}  // namespace ctlm
