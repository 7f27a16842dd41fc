// SPDX-License-Identifier: MIT
// ctlm: the slots of a model: in any order, each at most once, each with a default.
//
//   weights<F>      storage format of the matrices          default f32
//   kv_cache<F>     storage format of keys and values       default: the numbers that weights compute in
//   activation<A>   of the feed-forward layers              default: the spec's
//   norm<N>         before each part of a block, and last    default: the spec's
//   compute<C>      decoded or dynamic_int8                 default: dynamic_int8 for integer weights
//   backend<B>      portable or native                      default native
//   threads<E>      serial or pool<N>                       default serial
//   memory<P>       resident or offloaded<bytes>            default resident
//   prompt_chunk<N> tokens of a prompt taken at once        default 8
#pragma once

#include "../backend/native.hpp"
#include "../core/executor.hpp"
#include "../format/compute.hpp"
#include "../format/f32.hpp"
#include "../format/f64.hpp"
#include "activation/activation.hpp"
#include "memory/memory.hpp"
#include "norm/norm.hpp"

namespace ctlm { inline namespace CTLM_ABI {

enum class slot_kind : std::uint8_t {
  weights,
  kv_cache,
  activation,
  norm,
  compute,
  backend,
  threads,
  memory,
  prompt_chunk,
  optimizer,
  schedule,
  trained_for,
  recompute,
  loss,
  head
};

template <slot_kind Kind, class T>
struct slot {
  static constexpr slot_kind kind = Kind;
  using type = T;
};

template <std::size_t N>
struct prompt_chunk_rows {
  static_assert(N > 0, "ctlm: prompt_chunk<N> takes at least one token at a time");
  static constexpr std::size_t value = N;
};

template <std::size_t N>
struct recomputed_layers {
  static constexpr std::size_t value = N;
};

// Constrained here, so that an error lands on the line where the user names the policy.
template <format F>
using weights = slot<slot_kind::weights, F>;
template <format F>
using kv_cache = slot<slot_kind::kv_cache, F>;
template <activation_function A>
using activation = slot<slot_kind::activation, A>;
template <norm_policy N>
using norm = slot<slot_kind::norm, N>;
template <compute_policy C>
using compute = slot<slot_kind::compute, C>;
template <std::derived_from<portable> A>
using backend = slot<slot_kind::backend, A>;
template <executor E>
using threads = slot<slot_kind::threads, E>;
template <memory_policy P>
using memory = slot<slot_kind::memory, P>;
template <std::size_t N>
using prompt_chunk = slot<slot_kind::prompt_chunk, prompt_chunk_rows<N>>;
/// Of a trainer: the first N layers keep only their input for the backward pass, which computes the rest again
/// (gradient checkpointing: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). The same bits in less
/// memory.
template <std::size_t N>
using recompute = slot<slot_kind::recompute, recomputed_layers<N>>;

template <class S>
inline constexpr bool is_slot = false;
template <slot_kind Kind, class T>
inline constexpr bool is_slot<slot<Kind, T>> = true;

template <slot_kind Kind, class S>
constexpr bool slot_has_kind() {
  if constexpr (is_slot<S>)
    return S::kind == Kind;
  else
    return false;
}
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
template <slot_kind Kind, class Default, class... Slots>
using slot_or = typename find_slot<Kind, Default, Slots...>::type;

/// Refuses what is not a slot, slots of another class, and slots given twice, each in words.
template <slot_kind First, slot_kind Last, class... Slots>
struct check_slots {
  template <class S>
  static constexpr bool in_range() {
    if constexpr (is_slot<S>)
      return S::kind >= First && S::kind <= Last;
    else
      return true;
  }
  template <slot_kind Kind>
  static constexpr bool once = slot_count<Kind, Slots...> <= 1;

  static_assert((is_slot<Slots> && ...),
                "ctlm: not a slot: write a policy inside its slot, such as weights<f32> or optimizer<adamw>");
  static_assert(
      (in_range<Slots>() && ...),
      "ctlm: this slot belongs elsewhere: a model takes weights, kv_cache, activation, norm, compute, backend, "
      "threads, memory, prompt_chunk; a trainer takes optimizer, schedule, trained_for, recompute, loss, head");
  static_assert(once<slot_kind::weights>, "ctlm: duplicate slot: weights<> is given twice");
  static_assert(once<slot_kind::kv_cache>, "ctlm: duplicate slot: kv_cache<> is given twice");
  static_assert(once<slot_kind::activation>, "ctlm: duplicate slot: activation<> is given twice");
  static_assert(once<slot_kind::norm>, "ctlm: duplicate slot: norm<> is given twice");
  static_assert(once<slot_kind::compute>, "ctlm: duplicate slot: compute<> is given twice");
  static_assert(once<slot_kind::backend>, "ctlm: duplicate slot: backend<> is given twice");
  static_assert(once<slot_kind::threads>, "ctlm: duplicate slot: threads<> is given twice");
  static_assert(once<slot_kind::memory>, "ctlm: duplicate slot: memory<> is given twice");
  static_assert(once<slot_kind::prompt_chunk>, "ctlm: duplicate slot: prompt_chunk<> is given twice");
  static_assert(once<slot_kind::optimizer>, "ctlm: duplicate slot: optimizer<> is given twice");
  static_assert(once<slot_kind::schedule>, "ctlm: duplicate slot: schedule<> is given twice");
  static_assert(once<slot_kind::trained_for>, "ctlm: duplicate slot: trained_for<> is given twice");
  static_assert(once<slot_kind::recompute>, "ctlm: duplicate slot: recompute<> is given twice");
  static_assert(once<slot_kind::loss>, "ctlm: duplicate slot: loss<> is given twice");
  static_assert(once<slot_kind::head>, "ctlm: duplicate slot: head<> is given twice");
  static constexpr bool ok = true;
};

}}  // namespace ctlm
