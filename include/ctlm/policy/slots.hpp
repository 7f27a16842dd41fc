// SPDX-License-Identifier: MIT
// ctlm: the slots of a model: in any order, each at most once, each with a default.
//
//   weights<F>      storage format of the matrices          default f32
//   weights<F, keep<G, tensors::embedding>>   and of some    (model/selectors.hpp)
//   kv_cache<P>     storage format of keys and values, recent<F>, rotated<P>   default: the numbers of arithmetic
//   activation<A>   of the feed-forward layers              default: the spec's
//   norm<N>         before each part of a block, and last    default: the spec's
//   compute<C>      decoded or dynamic_int8                 default: dynamic_int8 for integer weights
//                   of a trainer: decoded, bf16 or f16      default: decoded
//   backend<B>      portable or native                      default native
//   threads<E>      serial or pool<N>                       default serial
//   memory<P>       resident or offloaded<bytes>            default resident
//   adapters<N>     sessions take adapters of rank up to N    default: none (model/adapted_session.hpp)
//   factored<R, ...> projections that are products of thin matrices   default: none (model/factored.hpp)
//   prompt_chunk<N> tokens of a prompt taken at once        default 8
#pragma once

#include "../backend/native.hpp"
#include "../core/executor.hpp"
#include "../format/compute.hpp"
#include "../format/f32.hpp"
#include "../format/f64.hpp"
#include "../format/mixed.hpp"
#include "activation/activation.hpp"
#include "cache/cache.hpp"
#include "memory/memory.hpp"
#include "norm/norm.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Which slot a policy is for. Those of a model come first, down to prompt_chunk, then those of a trainer.
enum class slot_kind : std::uint8_t {
  weights,       ///< format of the matrices
  kv_cache,      ///< format of keys and values
  activation,    ///< activation of the feed-forward layers
  norm,          ///< of all layers
  compute,       ///< what integer weights are multiplied with
  backend,       ///< which kernels
  threads,       ///< who runs them
  memory,        ///< where the weights are while a session runs
  adapters,      ///< the highest rank of adapters that sessions take
  factored,      ///< projections that are products of thin matrices
  prompt_chunk,  ///< tokens of a prompt taken at once
  optimizer,     ///< how gradients become steps
  schedule,      ///< the learning rate of each step
  trained_for,   ///< the format that weights will be converted to
  activations,   ///< how the backward pass finds what the forward pass computed
  recompute,     ///< layers that are computed again by the backward pass
  groups,        ///< weights that learn at a rate of their own
  clip,          ///< what is done to gradients before the update
  loss,          ///< what steps make small
  head,          ///< what stands between final rows and loss
  train_only     ///< which tensors learn, and how
};

/// A policy T in the slot Kind: what weights<f32>, optimizer<adamw> and the like are. A model or a trainer takes them
/// in any order.
template <slot_kind Kind, class T>
struct slot {
  static constexpr slot_kind kind = Kind;
  using type = T;
};

/// The policy of prompt_chunk<N>.
template <std::size_t N>
struct prompt_chunk_rows {
  static_assert(N > 0, "ctlm: prompt_chunk<N> takes at least one token at a time");
  static constexpr std::size_t value = N;
};

/// The policy of adapters<N>.
template <std::size_t N>
struct highest_rank {
  static constexpr std::size_t value = N;
};

/// The policy of recompute<N>.
template <std::size_t N>
struct recomputed_layers {
  static constexpr std::size_t value = N;
};

/// Slot of a model: how its matrices are stored (default f32). Gains and biases stay in the numbers of arithmetic. The
/// slots are constrained here, so that an error lands on the line where the user names the policy. Matrices that a
/// keep<G, ...> names are stored in format G.
template <format F, class... Keeps>
using weights = slot<slot_kind::weights, typename weight_format_of<F, Keeps...>::type>;
/// Slot of a model: how keys and values are stored (default: the numbers that the weights compute in): in a format F,
/// in recent<F>, which has the newest positions in a better one too, and rotated<P> in either.
template <cache_policy P>
using kv_cache = slot<slot_kind::kv_cache, P>;
/// Slot of a model: the activation of its feed-forward layers (default: the spec's).
template <activation_function A>
using activation = slot<slot_kind::activation, A>;
/// Slot of a model: its norm (default: the spec's).
template <norm_policy N>
using norm = slot<slot_kind::norm, N>;
/// Slot of a model: `decoded` multiplies numbers with decoded weights, `dynamic_int8` integer weights with activations
/// rounded to 8 bits as they come (default: dynamic_int8 for integer weights, decoded for others). Slot of a trainer:
/// `bf16` or `f16` rounds both operands of each product to 16 bits; all else is computed as without it, and with f16
/// the loss is scaled (train/loss_scale.hpp; default: decoded).
template <compute_policy C>
using compute = slot<slot_kind::compute, C>;
/// Slot of a model: which kernels it runs (default native; portable gives the same bytes of session on every machine).
template <std::derived_from<portable> A>
using backend = slot<slot_kind::backend, A>;
/// Slot of a model: its executor (default serial). With pool<N>, sessions and trainers take a pool as last argument.
template <executor E>
using threads = slot<slot_kind::threads, E>;
/// Slot of a model: where a session's weights are (default resident; offloaded<bytes> reads them from a file).
template <memory_policy P>
using memory = slot<slot_kind::memory, P>;
/// Slot of a model: at most N tokens of a prompt go through the layers together (default 8). More are faster and need
/// more bytes of session.
template <std::size_t N>
using prompt_chunk = slot<slot_kind::prompt_chunk, prompt_chunk_rows<N>>;
/// Slot of a model: its sessions take adapters (LoRA) of rank up to N, which model/adapted_session.hpp is included for.
template <std::size_t N>
using adapters = slot<slot_kind::adapters, highest_rank<N>>;
/// Slot of a trainer: how what the backward pass needs of the forward pass is kept (default f32). bf16 or f16 takes
/// half the bytes: the forward pass computes as without it, and the backward pass from rounded numbers.
template <format F>
using activations = slot<slot_kind::activations, F>;
/// Of a trainer: the first N layers keep only their input for the backward pass, which computes the rest again
/// (gradient checkpointing: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). The same bits in less
/// memory.
template <std::size_t N>
using recompute = slot<slot_kind::recompute, recomputed_layers<N>>;

/// Whether S is a policy in its slot.
template <class S>
inline constexpr bool is_slot = false;
template <slot_kind Kind, class T>
inline constexpr bool is_slot<slot<Kind, T>> = true;

/// Whether S is a slot of this kind; false of what is no slot.
template <slot_kind Kind, class S>
constexpr bool slot_has_kind() {
  if constexpr (is_slot<S>)
    return S::kind == Kind;
  else
    return false;
}
/// How many of the slots are of this kind.
template <slot_kind Kind, class... Slots>
inline constexpr std::size_t slot_count = (std::size_t{0} + ... + (slot_has_kind<Kind, Slots>() ? 1 : 0));

/// The policy given for a kind, or the default.
template <slot_kind Kind, class Default, class... Slots>
struct find_slot {
  using type = Default;
};
template <slot_kind Kind, class Default, class First, class... Rest>
struct find_slot<Kind, Default, First, Rest...> : find_slot<Kind, Default, Rest...> {};
template <slot_kind Kind, class Default, class T, class... Rest>
struct find_slot<Kind, Default, slot<Kind, T>, Rest...> {
  using type = T;
};
/// The policy given for a kind, or the default.
template <slot_kind Kind, class Default, class... Slots>
using slot_or = typename find_slot<Kind, Default, Slots...>::type;

/// Refuses what is not a slot, slots of another class, and slots given twice, each in words.
template <slot_kind First, slot_kind Last, class... Slots>
struct check_slots {
  /// Whether S is of a kind that belongs here; true of what is no slot, for which there are other words.
  template <class S>
  static constexpr bool in_range() {
    if constexpr (is_slot<S>)
      return (S::kind >= First && S::kind <= Last) ||
             (S::kind == slot_kind::compute && First == slot_kind::optimizer);  // that of a trainer
    else
      return true;
  }
  /// Whether a kind is given at most once.
  template <slot_kind Kind>
  static constexpr bool once = slot_count<Kind, Slots...> <= 1;

  static_assert((is_slot<Slots> && ...),
                "ctlm: not a slot: write a policy inside its slot, such as weights<f32> or optimizer<adamw>");
  static_assert(
      (in_range<Slots>() && ...),
      "ctlm: this slot belongs elsewhere: a model takes weights, kv_cache, activation, norm, compute, backend, "
      "threads, memory, adapters, factored, prompt_chunk; a trainer takes optimizer, schedule, trained_for, recompute, "
      "groups, clip, loss, head, train_only, compute, activations");
  static_assert(once<slot_kind::weights>, "ctlm: duplicate slot: weights<> is given twice");
  static_assert(once<slot_kind::kv_cache>, "ctlm: duplicate slot: kv_cache<> is given twice");
  static_assert(once<slot_kind::activation>, "ctlm: duplicate slot: activation<> is given twice");
  static_assert(once<slot_kind::norm>, "ctlm: duplicate slot: norm<> is given twice");
  static_assert(once<slot_kind::compute>, "ctlm: duplicate slot: compute<> is given twice");
  static_assert(once<slot_kind::backend>, "ctlm: duplicate slot: backend<> is given twice");
  static_assert(once<slot_kind::threads>, "ctlm: duplicate slot: threads<> is given twice");
  static_assert(once<slot_kind::memory>, "ctlm: duplicate slot: memory<> is given twice");
  static_assert(once<slot_kind::adapters>, "ctlm: duplicate slot: adapters<> is given twice");
  static_assert(once<slot_kind::factored>, "ctlm: duplicate slot: factored<> is given twice");
  static_assert(once<slot_kind::prompt_chunk>, "ctlm: duplicate slot: prompt_chunk<> is given twice");
  static_assert(once<slot_kind::optimizer>, "ctlm: duplicate slot: optimizer<> is given twice");
  static_assert(once<slot_kind::schedule>, "ctlm: duplicate slot: schedule<> is given twice");
  static_assert(once<slot_kind::trained_for>, "ctlm: duplicate slot: trained_for<> is given twice");
  static_assert(once<slot_kind::activations>, "ctlm: duplicate slot: activations<> is given twice");
  static_assert(once<slot_kind::recompute>, "ctlm: duplicate slot: recompute<> is given twice");
  static_assert(once<slot_kind::groups>, "ctlm: duplicate slot: groups<> is given twice");
  static_assert(once<slot_kind::clip>, "ctlm: duplicate slot: clip<> is given twice");
  static_assert(once<slot_kind::loss>, "ctlm: duplicate slot: loss<> is given twice");
  static_assert(once<slot_kind::head>, "ctlm: duplicate slot: head<> is given twice");
  static_assert(once<slot_kind::train_only>, "ctlm: duplicate slot: train_only<> is given twice");
  static constexpr bool ok = true;
};

}}  // namespace ctlm
