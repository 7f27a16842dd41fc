// SPDX-License-Identifier: MIT
// ctlm: words for the arguments of sessions and trainers that do not fit. The constructors that take them exist only to
// say so: a compiler prints the first of these lines instead of a list of all constructors.
#pragma once

#include "../core/executor.hpp"
#include "../memory/arena.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI { namespace arguments {

template <class...>
inline constexpr bool fit = false;

template <class X>
inline constexpr bool is_weights = false;
template <class Shape, class F>
inline constexpr bool is_weights<weight_views<Shape, F>> = true;

template <class M, class W>
inline constexpr bool of_this_model = false;
template <class M, class F>
inline constexpr bool of_this_model<M, weight_views<typename M::shape_type, F>> = true;

template <class M, class X>
inline constexpr bool is_executor_of = std::is_convertible_v<X&, typename M::executor_policy&>;
template <class M>
inline constexpr bool may_lack_executor = std::is_empty_v<typename M::executor_policy>;

/// Whether X... may follow weights and arena: an arena for the KV cache or none, and the executor.
template <class M, class... X>
inline constexpr bool end_fits = false;
template <class M>
inline constexpr bool end_fits<M> = may_lack_executor<M>;
template <class M, class X>
inline constexpr bool end_fits<M, X> = is_executor_of<M, X> || (arena<X> && may_lack_executor<M>);
template <class M, class C, class X>
inline constexpr bool end_fits<M, C, X> = arena<C>&& is_executor_of<M, X>;

/// Whether the executor is all that is missing.
template <class... X>
inline constexpr bool arenas = sizeof...(X) <= 1 && (arena<X> && ...);

template <class... Given>
constexpr void no_executor() {
  static_assert(
      fit<Given...>,
      "ctlm: the executor is missing: a model with threads<pool<N>> takes the pool as the last argument of its "
      "sessions and trainers");
}
template <class... Given>
constexpr void other_executor() {
  static_assert(
      fit<Given...>,
      "ctlm: the last argument is not the executor of this model: threads<pool<N>> takes a pool<N> of the same "
      "N, and a model without threads<> takes none");
}
template <class... Given>
constexpr void no_base() {
  static_assert(
      fit<Given...>,
      "ctlm: the weights are missing: a trainer with train_only<> takes those that stay as they are first, as "
      "in trainer t{weights, arena, options}");
}
template <class... Given>
constexpr void not_a_trainers() {
  static_assert(fit<Given...>,
                "ctlm: a trainer takes, in this order: an arena, perhaps an arena for the optimizer's state, options "
                "({} for the defaults), and the executor if the model has threads<>");
}

template <class M, class Handle, class W, class A, class... X>
constexpr void not_a_sessions() {
  using given = std::remove_cv_t<W>;
  if constexpr (of_this_model<M, given> && M::memory_policy::streams)
    static_assert(fit<W>, "ctlm: a model with memory<offloaded<bytes>> takes offloaded_weights, not weights in memory");
  else if constexpr (of_this_model<M, given> && !std::is_convertible_v<W&, Handle&>)
    static_assert(fit<W>,
                  "ctlm: these weights are stored in another format than the model's: quantise() them first, into "
                  "weights of this model");
  else if constexpr (is_weights<given> && !std::is_convertible_v<W&, Handle&>)
    static_assert(fit<W>, "ctlm: these are the weights of another model: its config or activation differs");
  else if constexpr (!std::is_convertible_v<W&, Handle&> || !arena<A>)
    static_assert(fit<W>,
                  "ctlm: a session takes, in this order: weights, an arena, perhaps an arena for the KV cache, and the "
                  "executor if the model has threads<>");
  else if constexpr (arenas<X...>)
    no_executor<W, A, X...>();
  else
    other_executor<W, A, X...>();
}

}  // namespace arguments

}}  // namespace ctlm
