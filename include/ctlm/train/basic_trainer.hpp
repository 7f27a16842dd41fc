// SPDX-License-Identifier: MIT
// ctlm: what all trainers have in common, whatever their steps learn from: how they are made, what they begin with, and
// what can be read of them. All that one needs lies in one arena of train_bytes. learning.hpp says what it consists of.
#pragma once

#include "learning.hpp"
#include "wrong_arguments.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What trainer<> stands on, with the same arguments.
template <class M, class Recipe, class... Slots>
class basic_trainer
    : trainer_arguments<M, trainer_slots<M, Slots...>::in_part,
                        typename learning<M, batch_shape<M, Recipe>, trainer_slots<M, Slots...>>::options> {
  using slots = trainer_slots<M, Slots...>;

 protected:
  using batch_type = batch_shape<M, Recipe>;             ///< the sizes of a micro-batch
  using learning_type = learning<M, batch_type, slots>;  ///< the run's state
  using parts = typename learning_type::parts;           ///< what learns
  static constexpr bool in_part = slots::in_part;        ///< whether there is a train_only<>

 public:
  using model = M;                                          ///< the causal_lm
  using real = typename M::real;                            ///< the type of weights, gradients and logits
  using executor_type = typename M::executor_policy;        ///< what the constructor takes last, where it has state
  using options = typename learning_type::options;          ///< hyper-parameters: see trainer_options
  using result_type = typename learning_type::result_type;  ///< what a step says: a step_result

  static constexpr decoder_shape shape = M::shape;                                          ///< the model's sizes
  static constexpr train_config config = batch_type::config;                                ///< the recipe's
  static constexpr std::size_t batch = batch_type::batch, sequence = batch_type::sequence;  ///< of a micro-batch
  static constexpr std::size_t accumulate = batch_type::accumulate;                         ///< micro-batches in a step
  static constexpr std::size_t batch_tokens = batch_type::rows;                             ///< tokens of a micro-batch
  static constexpr std::size_t step_tokens = accumulate * batch_tokens;                     ///< tokens of a step
  static constexpr std::size_t recomputed = slots::recomputed;  ///< layers that keep only their input
  static constexpr bool scales_loss = slots::scales_loss;       ///< whether there is a loss_scale()

  static constexpr std::size_t train_bytes = learning_type::bytes_needed();  ///< exact bytes of the arena
  static constexpr std::size_t bytes_needed() { return train_bytes; }        ///< the same, as other types have it
  static constexpr std::size_t state_bytes = learning_type::state_bytes;     ///< those of the optimizer's state

  /// The arena's memory must outlive the trainer. Draws the weights from `seed` (model/initialise.hpp). Raises
  /// errc::invalid_argument for options that cannot be computed with, out_of_memory for an arena that is too small.
  template <arena A>
  requires(std::is_empty_v<executor_type> && !in_part) constexpr basic_trainer(A& a, const options& o)
      : learning_{.settings = o} {
    learning_.start(a);
  }
  template <arena A>
  requires(!in_part) constexpr basic_trainer(A& a, const options& o, executor_type& exec)
      : learning_{.exec = exec, .settings = o} {
    learning_.start(a);
  }
  /// The same with the optimizer's state in an arena of its own, of state_bytes, on a disk perhaps (spill_arena); the
  /// first one then needs train_bytes - state_bytes.
  template <arena A, arena S>
  requires(std::is_empty_v<executor_type> && !in_part) constexpr basic_trainer(A& a, S& state, const options& o)
      : learning_{.settings = o} {
    learning_.start(a, state);
  }
  template <arena A, arena S>
  requires(!in_part) constexpr basic_trainer(A& a, S& state, const options& o, executor_type& exec)
      : learning_{.exec = exec, .settings = o} {
    learning_.start(a, state);
  }
  /// With train_only<>: of these weights, which must outlive the trainer and do not change, some learn, or what stands
  /// beside them: `trainer t{weights, arena, options}`.
  template <arena A>
  requires(std::is_empty_v<executor_type>&& in_part) constexpr basic_trainer(const typename M::const_weights& base,
                                                                             A& a, const options& o)
      : learning_{.settings = o} {
    learning_.start_over(a, base);
  }
  template <arena A>
  requires(in_part) constexpr basic_trainer(const typename M::const_weights& base, A& a, const options& o,
                                            executor_type& exec)
      : learning_{.exec = exec, .settings = o} {
    learning_.start_over(a, base);
  }
  /// Everything else does not compile, and says why.
  using trainer_arguments<M, in_part, options>::trainer_arguments;
  basic_trainer(const basic_trainer&) = delete;
  basic_trainer& operator=(const basic_trainer&) = delete;

  /// Before the first step: begins with these weights, in any format, instead of random ones.
  template <class F>
  requires(!in_part) constexpr void start_from(const weight_views<typename M::shape_type, F>& weights) {
    learning_.require_untrained();
    decode_weights(weights, learning_.weights);
  }
  /// The same with what fill(weights) writes there: a file that is loaded in place, say.
  template <class Fill>
  requires(!in_part && std::is_invocable_v<Fill, const typename M::weights&>) constexpr void start_from(Fill&& fill) {
    learning_.require_untrained();
    fill(static_cast<const typename M::weights&>(learning_.weights));
  }

  /// To read: start_from is the way in.
  constexpr typename M::const_weights weights() const requires(!in_part) { return learning_.weights; }
  /// What forward_backward or the last step left, before clipping to clip_norm, and after what clip<> does.
  constexpr typename M::const_weights gradients() const requires(!in_part) { return learning_.gradients; }
  /// With train_only<>: the numbers that learn, to read and, before the first step, to write
  /// (train/learned_tensors.hpp).
  constexpr const typename parts::weights& learned() const requires(in_part) { return learning_.weights; }
  /// With train_only<>: their gradients.
  constexpr const typename parts::weights& gradients() const requires(in_part) { return learning_.gradients; }
  /// With train_only<>: what the passes read.
  constexpr const auto& adapted() const requires(in_part) { return learning_.used(); }
  /// The weights in the integer format that they are trained for.
  constexpr const auto& quantised() requires quantised_format<typename slots::target_format> {
    learning_.refresh();
    return learning_.in_use.codes();
  }
  /// Of a model with factored<>: how many directions of a projection count (train/narrow.hpp makes them fewer).
  constexpr std::size_t rank(tensor_id id, std::size_t layer) const requires(M::shape.is_factored()) {
    return learning_.in_use.rank(id, layer);
  }
  /// For narrow(): the numbers of the others must be zeros.
  constexpr void set_rank(tensor_id id, std::size_t layer, std::size_t rank) requires(M::shape.is_factored()) {
    learning_.in_use.set_rank(id, layer, rank);
  }
  using elementwise = std::bool_constant<elementwise_optimizer<typename slots::optimizer>>;  ///< for narrow()
  constexpr const options& settings() const { return learning_.settings; }  ///< as the constructor took them

  /// Steps done, those that were skipped among them.
  constexpr std::size_t steps() const { return static_cast<std::size_t>(learning_.step); }
  /// Of the steps of this object, those that were skipped because their numbers were not finite (a checkpoint does not
  /// keep how many there were). With compute<f16>: of the steps of the run, and a checkpoint keeps them.
  constexpr std::size_t skipped_steps() const {
    if constexpr (slots::scales_loss)
      return static_cast<std::size_t>(learning_.scaling.skipped);
    else
      return static_cast<std::size_t>(learning_.skipped);
  }
  /// What the next step multiplies the loss by (train/loss_scale.hpp).
  constexpr float loss_scale() const requires(slots::scales_loss) { return learning_.scaling.value; }

  /// False while its state is half of one run and half of another, because a checkpoint could not be read to its end
  /// (load_checkpoint, which sets this). Such a trainer raises a failure instead of computing.
  constexpr bool usable() const { return learning_.usable; }
  constexpr void set_usable(bool usable) { learning_.usable = usable; }  ///< for load_checkpoint

  /// f(name, data, bytes) for everything that a bit-exact resume needs.
  template <class F>
  void for_each_state(F&& f) {
    learning_.for_each_state(f);
  }

 protected:
  learning_type learning_{};  ///< the run's state
};

}}  // namespace ctlm
