// SPDX-License-Identifier: MIT
// ctlm: the slots of a trainer, each with its default.
#pragma once

#include "../backend/products_in.hpp"
#include "../format/bf16.hpp"
#include "../format/f16.hpp"
#include "../policy/clip/clip.hpp"
#include "../policy/head/head.hpp"
#include "../policy/loss/cross_entropy_loss.hpp"
#include "../policy/optimizer/adamw.hpp"
#include "../policy/schedule/schedule.hpp"
#include "../policy/slots.hpp"
#include "groups.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Kernels B, whose products multiply numbers of Compute: `decoded` are those of arithmetic.
template <class B, class Compute>
using computing_in = std::conditional_t<std::same_as<Compute, decoded>, B, products_in<B, Compute>>;

/// The policies of a trainer, found in its slots or by default.
template <class M, class... Slots>
struct trainer_slots {
  /// Slot train_only<>: what learns, or void where everything does.
  using chosen = slot_or<slot_kind::train_only, void, Slots...>;
  static constexpr bool in_part = !std::is_void_v<chosen>;  ///< whether there is such a slot
  static_assert(
      in_part || native_format<typename M::weight_format> || quantised_format<typename M::weight_format>,
      "ctlm: wrong weight format: a trainer needs weights<f32> (or f64): to train for storage in 16 bits, use "
      "trained_for<bf16> or trained_for<f16>");
  static_assert(in_part || native_format<typename M::weight_format>,
                "ctlm: wrong weight format: a trainer needs weights<f32> (or f64); train first, then quantise");
  static_assert(check_slots<slot_kind::optimizer, slot_kind::train_only, Slots...>::ok);

  static_assert(!in_part || !M::shape.is_factored(),
                "ctlm: train_only<> is not for models with factored<> yet: all of such a model learns");

  using optimizer = slot_or<slot_kind::optimizer, adamw, Slots...>;        ///< slot optimizer<>
  using schedule = slot_or<slot_kind::schedule, constant_rate, Slots...>;  ///< slot schedule<>
  using loss = slot_or<slot_kind::loss, cross_entropy_loss, Slots...>;     ///< slot loss<>
  using head = slot_or<slot_kind::head, vocabulary_head, Slots...>;        ///< slot head<>
  using groups = slot_or<slot_kind::groups, weight_groups<>, Slots...>;    ///< slot groups<>
  using clip = slot_or<slot_kind::clip, clip_by_norm, Slots...>;           ///< slot clip<>
  static constexpr bool own_head = has_own_weights<head>;  ///< whether the head has weights beside the model's
  static_assert(!own_head || !M::shape.is_factored(),
                "ctlm: a head with weights of its own is not for models with factored<> yet");
  static_assert(!own_head || slot_count<slot_kind::loss, Slots...> == 0,
                "ctlm: a head with weights of its own brings its loss: leave out loss<>");

  /// Slot trained_for<>: the format that the weights will be converted to.
  using target_format = slot_or<slot_kind::trained_for, typename M::weight_format, Slots...>;
  static_assert(!in_part || std::same_as<target_format, typename M::weight_format>,
                "ctlm: trained_for<> rounds weights that learn; with train_only<> the base is in its format already");
  /// Slot compute<>: the numbers that products multiply; decoded: those of arithmetic.
  using compute_format = slot_or<slot_kind::compute, decoded, Slots...>;
  static_assert(!std::same_as<compute_format, dynamic_int8>,
                "ctlm: a trainer has no compute<dynamic_int8>: activations rounded to 8 bits have no gradients; "
                "compute<bf16> and compute<f16> multiply in 16 bits");
  static constexpr bool scales_loss = std::same_as<compute_format, f16>;  ///< whether gradients need it
  static constexpr bool rounds_products = std::same_as<compute_format, bf16> || scales_loss;  ///< to 16 bits
  static_assert(!rounds_products || std::same_as<typename M::real, float>,
                "ctlm: compute<bf16> and compute<f16> round numbers of single precision: this model computes in double "
                "(weights<f64>)");
  /// The kernels of a step, where B are the model's.
  template <class B>
  using backend_of = computing_in<B, compute_format>;

  /// Slot activations<>: how what the backward pass needs of the forward pass is kept.
  using activation_format = slot_or<slot_kind::activations, f32, Slots...>;
  static constexpr bool stores_activations =
      std::same_as<activation_format, bf16> || std::same_as<activation_format, f16>;  ///< whether it is rounded
  static_assert(stores_activations || std::same_as<activation_format, f32>,
                "ctlm: a trainer keeps activations in f32, or in half the bytes: activations<bf16> or "
                "activations<f16>");
  static_assert(!stores_activations || std::same_as<typename M::real, float>,
                "ctlm: activations<bf16> and activations<f16> round numbers of single precision: this model computes "
                "in double (weights<f64>)");

  /// Slot recompute<>: layers that keep only their input.
  static constexpr std::size_t recomputed = slot_or<slot_kind::recompute, recomputed_layers<0>, Slots...>::value;
  static_assert(groups_detail::all_name_some<typename M::shape_type, groups, own_head>,
                "ctlm: groups<...> names no tensor that this model has (a tied head is tensors::embedding)");
  static_assert(recomputed <= M::shape.layers, "ctlm: recompute<N> takes at most as many layers as the model has");
};

}}  // namespace ctlm
