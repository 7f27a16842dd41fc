// SPDX-License-Identifier: MIT
// ctlm: the memory plan of a training step: what the forward pass keeps for the backward pass, and the scratch of both.
// Each buffer has one name and one meaning; those that are never alive together share addresses.
#pragma once

#include "../memory/plan.hpp"
#include "../model/block.hpp"
#include "batch.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The buffers of a training step, placed in an arena by place(). Rows are those of a micro-batch, [batch][sequence].
/// The first `recomputed` layers keep only their input; the backward pass computes the rest of them again.
template <class M, class Batch, std::size_t recomputed>
struct activation_memory {
  using real = typename M::real;                                       ///< numbers of arithmetic
  using statistics = typename M::norm::template statistics<real>;      ///< what a norm's backward pass needs of a row
  static constexpr decoder_shape shape = M::shape;                     ///< the model's sizes
  static constexpr std::size_t rows = Batch::rows, d = shape.d_model;  ///< tokens of a micro-batch, and d_model

  // Kept from the forward to the backward pass.
  block_state<real, statistics> layers[shape.layers]{};  ///< what each layer keeps
  real* log_sums[shape.layers]{};  ///< [batch][heads][sequence] logarithms of the sums of attention's exponentials
  real* last = nullptr;            ///< [rows][d_model] the output of the last block
  statistics* last_statistics = nullptr;  ///< [rows] of the norm after the last block
  rotary_angles<real> angles{};           ///< of the positions of a sequence: computed once, the same for every step

  // Alive for a moment.
  real* normed = nullptr;      ///< [rows][d_model] the normalised input of a projection
  real* final_rows = nullptr;  ///< [rows][d_model] `last`, normalised: what the head reads. The same memory as `normed`
  real* dnormed = nullptr;     ///< [rows][d_model] gradient of `normed`
  real* dfinal_rows = nullptr;  ///< [rows][d_model] gradient of `final_rows`. The same memory as `dnormed`
  real* dx = nullptr;           ///< [rows][d_model] gradient of the residual stream
  // Of these three groups one is alive at a time.
  real* head_out = nullptr;   ///< [head_rows][outputs] logits, and then their gradients
  real* activated = nullptr;  ///< [rows][d_ff] after the activation, and then its gradient
  real* dattended = nullptr;  ///< [rows][q_dim] gradient of what attention made
  real* dqkv = nullptr;       ///< [rows][qkv_dim] gradient of queries, keys and values
  // Of models that normalise heads, beside dqkv.
  real* turned = nullptr;                 ///< [rows][qkv_dim] queries and keys normalised and rotated
  real* raw = nullptr;                    ///< [rows][qkv_dim] those of before, where they are stored in 16 bits
  statistics* head_statistics = nullptr;  ///< [rows][heads + kv_heads] of those norms
  // Of models with experts, beside `activated`.
  real* moved = nullptr;       ///< [rows][d_model] rows of one expert
  real* dactivated = nullptr;  ///< [rows][d_ff] gradient of one expert's activated numbers
  real* dshares = nullptr;     ///< [rows][experts_per_token] gradient of the experts' shares

  /// Asks an arena for all buffers; the head is lent head_numbers numbers.
  template <class A>
  constexpr void place(A& a, std::size_t head_numbers) {
    for (std::size_t l = 0; l < shape.layers; ++l) place_layer(a, l);
    last = a.template allocate<real>(rows * d);
    for (std::size_t l = 0; l < shape.layers; ++l) layers[l].out = l + 1 < shape.layers ? layers[l + 1].x : last;
    last_statistics = a.template allocate<statistics>(rows);
    angles = rotary_angles<real>::place(a, shape, Batch::sequence);
    normed = final_rows = a.template allocate<real>(rows * d);
    dnormed = dfinal_rows = a.template allocate<real>(rows * d);
    dx = a.template allocate<real>(rows * d);
    overlay(
        a, [&](auto& head) { head_out = head.template allocate<real>(head_numbers); },
        [&](auto& feed_forward) {
          activated = feed_forward.template allocate<real>(rows * shape.d_ff);
          if constexpr (shape.experts > 0) {
            moved = feed_forward.template allocate<real>(rows * d);
            dactivated = feed_forward.template allocate<real>(rows * shape.d_ff);
            dshares = feed_forward.template allocate<real>(rows * shape.experts_per_token);
          }
        },
        [&](auto& attention) {
          dattended = attention.template allocate<real>(rows * shape.q_dim());
          dqkv = attention.template allocate<real>(rows * shape.qkv_dim());
          if constexpr (shape.qk_norm) {
            turned = attention.template allocate<real>(rows * shape.qkv_dim());
            head_statistics = attention.template allocate<statistics>(rows * (shape.heads + shape.kv_heads));
          }
        });
  }

  /// What the backward pass finds of a layer.
  constexpr const block_state<real, statistics>& saved(std::size_t layer) const { return layers[layer]; }
  /// of_layer() for a forward pass in the middle of a backward pass.
  constexpr block_state<real, statistics> repeated(std::size_t layer) const { return of_layer(layer); }
  /// A layer's buffers, with the shared buffers that a forward pass through it writes to.
  constexpr block_state<real, statistics> of_layer(std::size_t layer) const {
    auto s = layers[layer];
    s.normed = normed;
    s.activated = activated;
    s.routed.moved = moved;
    return s;
  }
  /// The shared buffers that a backward pass through a layer writes to.
  constexpr block_scratch<real> scratch() const {
    return {normed, dnormed, activated, dattended, dqkv, moved, dactivated, dshares};
  }

 private:
  template <class A>
  constexpr void place_layer(A& a, std::size_t layer) {
    auto& s = layers[layer];
    s.x = a.template allocate<real>(rows * d);
    log_sums[layer] = a.template allocate<real>(rows * shape.heads);
    s.norm1 = a.template allocate<statistics>(rows);
    s.norm2 = a.template allocate<statistics>(rows);
    if constexpr (shape.post_norms) {
      s.after1 = a.template allocate<statistics>(rows);
      s.after2 = a.template allocate<statistics>(rows);
      s.branch2 = a.template allocate<real>(rows * d);
    }
    if (layer > 0 && layer < recomputed) {  // one set of activations for all of them
      s.qkv = layers[0].qkv;
      s.attended = layers[0].attended;
      s.mid = layers[0].mid;
      s.branch1 = layers[0].branch1;
      s.up = layers[0].up;
      s.routed = layers[0].routed;
    } else {
      s.qkv = a.template allocate<real>(rows * shape.qkv_dim());
      s.attended = a.template allocate<real>(rows * shape.q_dim());
      s.mid = a.template allocate<real>(rows * d);
      if constexpr (shape.post_norms) s.branch1 = a.template allocate<real>(rows * d);
      s.up = a.template allocate<real>(rows * shape.feed_forwards_per_token() * shape.up_dim());
      s.routed = routing<real>::place(a, shape, rows);
    }
  }
};

}}  // namespace ctlm
