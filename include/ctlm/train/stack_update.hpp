// SPDX-License-Identifier: MIT
// ctlm: the update of a training step by an optimizer that looks at whole matrices, or has a state of its own kind.
#pragma once

#include "../memory/plan.hpp"
#include "weight_update.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// An optimizer without state: what a weight_update whose optimizer keeps its own state is built on.
struct no_optimizer_state {
  static constexpr const char* name = "none";  ///< of the optimizer
  static constexpr std::size_t moments = 0;    ///< numbers of state for each weight

  /// None that count.
  struct options {
    float lr = 0;  ///< that every optimizer has
  };
  /// Does nothing.
  template <class Backend, class T>
  static constexpr void apply(Backend, std::size_t, T*, const T*, T**, const options&, const update&) {}
};

/// The weights of one layer of a tensor, as an optimizer is given them.
constexpr weight_stack stack_of(const tensor_info& t) {
  if (!t.is_matrix()) return {1, t.rows, t.cols, weight_kind::vector};
  const bool hidden = t.is_of_layer() && t.role != tensor_role::embedding;
  return {t.pieces, t.piece_rows(), t.cols, hidden ? weight_kind::hidden : weight_kind::table};
}

/// The same class as for optimizers of single weights. The state lies in one stretch of bytes, layer after layer of
/// tensor after tensor; views of it are made when they are needed.
template <class M, optimizer_policy Optimizer>
requires stack_optimizer<Optimizer>
class weight_update<M, Optimizer> : public weight_update<M, no_optimizer_state> {
  using base = weight_update<M, no_optimizer_state>;
  using real = typename M::real;
  using weights_type = typename M::weights;
  using backend_type = typename M::backend_policy;
  static constexpr std::size_t workers = M::executor_policy::max_workers;

  static constexpr std::size_t bytes_of(const weight_stack& s) {
    return measure([&](auto& a) { Optimizer::template place_state<real>(a, s); });
  }
  static constexpr std::size_t all_state() {
    std::size_t n = 0;
    for (const tensor_info& t : M::tensors) n += t.layers * bytes_of(stack_of(t));
    return n;
  }
  static constexpr std::size_t most_scratch() {
    std::size_t n = 0;
    for (const tensor_info& t : M::tensors)
      n = larger(n, measure([&](auto& a) {
                   Optimizer::template place_scratch<real>(a, backend_type{}, workers, stack_of(t));
                 }));
    return n;
  }

 public:
  static constexpr std::size_t state_bytes = all_state();
  static constexpr std::size_t scratch_bytes = most_scratch();  ///< that one update needs for a moment

  template <class A, class S>
  constexpr void place(A& a, S& state_arena) {
    base::place(a, state_arena);
    state_ = state_arena.template allocate<std::byte>(state_bytes);
    scratch_ = a.template allocate<std::byte>(scratch_bytes);
  }
  constexpr void release_to(release_hook hook) { release_ = hook; }

  template <bool matrices, class Groups = weight_groups<>, class Context>
  constexpr void apply(Context& c, const weights_type& weights, const weights_type& gradients,
                       const typename Optimizer::options& o, update u,
                       [[maybe_unused]] const typename Groups::options& groups = {}) {
    std::byte* place = state_;
    for (const tensor_info& t : M::tensors) {
      const weight_stack s = stack_of(t);
      const std::size_t bytes = bytes_of(s);
      u.decay = t.decays();
      for (std::size_t layer = 0; layer < t.layers; ++layer, place += bytes) {
        if (!matrices && t.is_matrix()) continue;
        const auto own = in_group<Groups, Optimizer, M::shape.is_factored()>(t, layer, o, u, groups);
        binding_arena<std::byte> state(place, bytes), scratch(scratch_, scratch_bytes);
        const std::size_t first = layer * s.size();
        Optimizer::apply(backend_type{}, *c.exec, s, weights.numbers(t).data() + first,
                         static_cast<const real*>(gradients.numbers(t).data()) + first,
                         Optimizer::template place_state<real>(state, s),
                         Optimizer::template place_scratch<real>(scratch, backend_type{}, workers, s), own.options,
                         own.step);
        if (release_) release_(place, bytes);
      }
    }
  }

  template <class F>
  void for_each_state(F&& f) {
    f("optimizer", static_cast<void*>(state_), state_bytes);
  }

 private:
  std::byte* state_ = nullptr;    // [state_bytes]
  std::byte* scratch_ = nullptr;  // [scratch_bytes]
  release_hook release_{};
};

}}  // namespace ctlm
