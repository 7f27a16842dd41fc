// SPDX-License-Identifier: MIT
// ctlm: what an optimizer is.
#pragma once

#include "../../core/executor.hpp"
#include "../../kernels/primitives.hpp"
#include "../../memory/arena.hpp"
#include "../options.hpp"
#include "../slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What an optimizer is told of one update, beside its options.
struct update {
  double lr;              ///< the learning rate of this step, as the schedule has it
  std::size_t step;       ///< the step's number; the first is 1
  double gradient_scale;  ///< gradients are multiplied by it first: less than 1 where they are clipped
  bool decay;             ///< whether these weights decay: matrices do, gains and biases do not
};

/// What a number of an optimizer's state is, which decides how it is carried over from a matrix to its factors.
enum class moment_kind : std::uint8_t {
  other,  ///< begins again at 0
  mean,   ///< of gradients: goes through the chain rule, as a gradient does
  square  ///< the mean of gradients' squares: as if those of a matrix did not depend on each other, and never below the
          ///< square of the mean
};

/// Which weights an optimizer with a state of its own (stack_optimizer) is given.
enum class weight_kind : std::uint8_t {
  hidden,  ///< matrices of the layers
  table,   ///< embeddings, and a head
  vector   ///< gains, biases and routers
};

/// Weights of one tensor of one layer, [matrices][rows][cols]: one matrix, or those of experts; vectors have one row.
struct weight_stack {
  std::size_t matrices = 1;                ///< how many lie one after the other
  std::size_t rows = 1;                    ///< of each
  std::size_t cols = 1;                    ///< numbers in a row
  weight_kind kind = weight_kind::vector;  ///< what they are

  /// Numbers in all of them.
  constexpr std::size_t size() const { return matrices * rows * cols; }
};

/// What all optimizers have: O::options holds run-time hyper-parameters, lr among them; O::problem_of(options) is
/// optional (policy/options.hpp).
template <class O>
concept named_optimizer = requires(const typename O::options& o) {
  { O::name } -> std::convertible_to<const char*>;
  { o.lr } -> std::convertible_to<double>;
};

/// O::moments is how many numbers of state each weight has; O::apply(backend, n, w, g, moments, options, update)
/// updates n weights in one pass. Every element's result depends on that element alone, so that any split among threads
/// gives the same bits. O::moment_kinds, an array of moment_kind, is optional: progressive_trainer asks for it.
template <class O>
concept elementwise_optimizer = named_optimizer<O> &&
    requires(float* w, const float* g, float** m, const typename O::options& o, const update& u) {
  { O::moments } -> std::convertible_to<std::size_t>;
  O::apply(portable{}, std::size_t{}, w, g, m, o, u);
};

/// An optimizer that looks at whole matrices, or whose state is not some numbers for each weight.
/// O::place_state<T>(arena, stack) asks an arena for the state of a stack, which begins as zeros, and returns an
/// O::state<T>; O::place_scratch<T>(arena, backend, workers, stack) does so for what one update needs for a moment, an
/// O::scratch<T>. O::apply(backend, exec, stack, w, g, state, scratch, options, update) updates the stack, with the
/// same bits for any number of workers.
template <class O>
concept stack_optimizer = named_optimizer<O> &&
    requires(measuring_arena& a, serial& exec, const weight_stack& s, float* w, const float* g,
             const typename O::template state<float>& state, const typename O::template scratch<float>& scratch,
             const typename O::options& o, const update& u) {
  { O::template place_state<float>(a, s) } -> std::same_as<typename O::template state<float>>;
  {
    O::template place_scratch<float>(a, portable{}, std::size_t{}, s)
    } -> std::same_as<typename O::template scratch<float>>;
  O::apply(portable{}, exec, s, w, g, state, scratch, o, u);
};

/// Either of the two kinds.
template <class O>
concept optimizer_policy = elementwise_optimizer<O> || stack_optimizer<O>;

/// Multiplies the weight decay of an optimizer's options by a factor.
template <class O>
constexpr void scale_decay_of(typename O::options& o, float factor) {
  if constexpr (requires { O::scale_decay(o, factor); })
    O::scale_decay(o, factor);
  else if constexpr (requires { o.weight_decay; })
    o.weight_decay *= factor;
}

/// Slot of a trainer: how gradients become steps (default adamw).
template <optimizer_policy O>
using optimizer = slot<slot_kind::optimizer, O>;

}}  // namespace ctlm
