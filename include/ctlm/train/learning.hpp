// SPDX-License-Identifier: MIT
// ctlm: what a trainer consists of: weights, gradients, the optimizer's state, activations and scratch, and the order
// in which the passes of a step use them.
#pragma once

#include "backward_pass.hpp"
#include "change_gradients.hpp"
#include "chunked_head.hpp"
#include "loss_scale.hpp"
#include "options.hpp"
#include "quantisation_aware.hpp"
#include "slots.hpp"
#include "stack_update.hpp"
#include "stored_activations.hpp"
#include "what_learns.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The state of a training run, and the order in which a step uses it. Batch is a batch_shape, Slots a trainer_slots. A
/// trainer is this with refusals in words around it.
template <class M, class Batch, class Slots>
struct learning {
  using real = typename M::real;                      ///< numbers of arithmetic
  using optimizer = typename Slots::optimizer;        ///< slot optimizer<>
  using schedule = typename Slots::schedule;          ///< slot schedule<>
  using executor_type = typename M::executor_policy;  ///< the model's executor

  using parts = what_learns<M, Batch, Slots>;        ///< all weights, or those that train_only<> names
  using weights_type = typename parts::weights;      ///< their numbers
  using in_use_type = typename parts::in_use_type;   ///< the weights as the passes see them
  using used_format = typename in_use_type::format;  ///< and how they are stored

  /// Head and loss.
  using head_pass = typename head_pass_of<M, Batch, typename Slots::head>::type;

  using loss_type = typename Slots::loss;  ///< slot loss<>

  using scale_type = std::conditional_t<Slots::scales_loss, loss_scale, no_loss_scale>;  ///< S
  using result_type = typename scale_type::result;                                       ///< what a step says

  /// The run's hyper-parameters.
  using options = trainer_options<optimizer, schedule, typename Slots::groups, typename Slots::clip, loss_type,
                                  typename scale_type::options>;

  [[no_unique_address]] executor_slot<executor_type> exec{};  ///< who runs the kernels
  options settings{};                                         ///< what the run was told
  std::uint64_t step = 0;                                     ///< steps done, those that were skipped among them
  std::uint32_t skipped = 0;                                  ///< steps of this object whose numbers were not finite
  bool usable = true;                      ///< false: the state is half of one run and half of another
  typename parts::context_type context{};  ///< which kernels, and their scratch
  weights_type weights{};                  ///< the weights that are trained, in full precision
  weights_type gradients{};                ///< of the last step or micro-batch
  in_use_type in_use{};  ///< the weights as the passes see them: the trained ones, or rounded as they will be stored
  weight_update<typename parts::model, optimizer> update{};  ///< the optimizer and its state
  activations_of<M, Batch, Slots> activations{};             ///< what the passes write
  head_pass head{};                                          ///< the losses of the rows
  values<const real> rows_read{};              ///< final rows of what read() took: logits() are computed from them
  [[no_unique_address]] scale_type scaling{};  ///< what the loss is multiplied by

  /// The layout of a trainer's memory. The optimizer's state may lie in an arena of its own.
  template <class A, class S>
  constexpr void place(A& a, S& state_arena) {
    constexpr std::size_t workers = executor_type::max_workers;
    weights.place(a);
    if constexpr (requires { gradients.place_gradients(a); })
      gradients.place_gradients(a);
    else
      gradients.place(a);
    in_use.place(a);
    update.place(a, state_arena);
    head.place(a);
    context.linear = parts::place_products(a, workers);
    place_factors<M>(context, a, Batch::rows, true);
    for (auto& ws : context.attention)
      ws = attention_workspace<real>::place(a, context.backend, query_tile, M::shape.head_dim, true);
    activations.place(a, head_pass::out_numbers);
  }

  /// Exact bytes of a trainer's memory, the optimizer's state among them.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { learning().place(a, a); });
  }
  /// Bytes of the optimizer's state.
  static constexpr std::size_t state_bytes = weight_update<typename parts::model, optimizer>::state_bytes;

  /// Checks the options and the room in the arenas, places everything, and draws the first weights. Raises
  /// errc::invalid_argument or out_of_memory.
  template <class A>
  constexpr void start(A& a) {
    start_over(a);
  }
  /// The same over weights of which a part learns.
  template <class A, class... Base>
  constexpr void start_over(A& a, const Base&... base) {
    check_options();
    require_room<bytes_needed()>(a, "trainer");
    place(a, a);
    begin(base...);
  }
  template <class A, class S>
  constexpr void start(A& a, S& state_arena) {
    check_options();
    require_room<bytes_needed() - state_bytes>(a, "trainer without its optimizer's state");
    require_room<state_bytes>(state_arena, "state of the optimizer");
    update.release_to(release_hook::of(state_arena));
    place(a, state_arena);
    begin();
  }
  /// Raises errc::invalid_argument if a step has been done.
  constexpr void require_untrained() const {
    check(step == 0, failure{errc::invalid_argument, "ctlm: start_from comes before the first step, not after {had}", 0,
                             0, static_cast<std::size_t>(step)});
  }

  /// Makes the weights that the passes see from the trained ones, which the last update changed. Raises
  /// errc::invalid_argument if the state is not usable.
  constexpr void refresh() {
    check(usable, errc::invalid_argument,
          "ctlm: this trainer is half loaded from a checkpoint that could not be read to its end: load one first");
    in_use.refresh(weights, static_cast<std::size_t>(step), *context.exec);
  }
  /// What comes before the first micro-batch of a step: refresh(), and zeros for the gradients that are only added to.
  constexpr void begin_gradients() {
    refresh();
    update.clear(context, gradients);
  }
  /// The weights as the passes see them.
  constexpr const auto& used() const { return in_use.of(weights); }

  /// The forward pass of a micro-batch: its final rows, [rows][d_model].
  constexpr values<const real> forward(span<const token> inputs, const dropout_masks& drop) {
    return forward_pass<M, Batch, used_format>{}(context, used(), activations, inputs.data(), drop);
  }

  /// The sum of losses over a micro-batch, without dropout.
  template <class Targets>
  constexpr double loss(span<const token> inputs, const Targets& targets) {
    parts::begin_pass(in_use, 0);
    const values<const real> rows = forward(inputs, {});
    return head.loss(context, used(), rows, targets, {activations.head_out});
  }

  /// Takes a micro-batch as a teacher does: logits() yields the logits of its rows.
  constexpr void read(span<const token> inputs) {
    refresh();
    parts::begin_pass(in_use, 0);
    rows_read = forward(inputs, {});
  }
  /// Logits [n][vocab] of rows [first, first + n) of what was read, n being at most 256; the caller may overwrite them.
  constexpr real* logits(std::size_t first, std::size_t n) {
    return head.logits(context, used(), rows_read, first, n, {activations.head_out}).data;
  }

  /// Adds the gradients of micro-batch number `micro` of a step, of (sum of losses) / counted, times S where there is
  /// one, and returns the sum of losses. The first micro-batch overwrites what the gradients of matrices held.
  template <class Targets>
  constexpr double learn_from(span<const token> inputs, const Targets& targets, std::size_t counted,
                              std::size_t micro) {
    const dropout_masks drop = masks(micro);
    parts::begin_pass(in_use, drop.stream);
    const ctlm::gradients<real> dfinal{activations.dfinal_rows};
    const values<const real> rows = forward(inputs, drop);
    real factor = real(1) / static_cast<real>(larger(1, counted));
    if constexpr (Slots::scales_loss) factor *= scaling.value;
    const double loss = through_head(targets, rows, factor, micro);
    backward_pass<M, Batch, used_format, Slots::recomputed>{}(context, used(), gradients, activations, dfinal,
                                                              inputs.data(), drop, micro > 0);
    return loss;
  }

  /// What comes after the last micro-batch: where the loss was multiplied by S, gradients are divided by it.
  constexpr void end_gradients() {
    if constexpr (Slots::scales_loss) scaling.template divide<typename parts::model>(context, gradients);
  }

  /// Targets that are tokens, with the loss's options.
  constexpr token_targets<loss_type> targets_at(const token* tokens) const {
    if constexpr (requires { typename loss_type::options; })
      return {tokens, settings.loss};
    else
      return {tokens};
  }

  /// One step: the micro-batches' gradients, then the update. targets_of(tokens, i) are those of micro-batch i.
  template <class TargetsOf>
  constexpr result_type learn(span<const token> inputs, std::size_t counted, TargetsOf&& targets_of) {
    begin_gradients();
    double total = 0;
    for (std::size_t i = 0; i < Batch::accumulate; ++i) {
      const auto tokens = inputs.subspan(i * Batch::rows, Batch::rows);
      total += learn_from(tokens, targets_of(tokens, i), counted, i);
    }
    end_gradients();
    const step_result r = update_weights(total / static_cast<double>(larger(1, counted)));
    ++step;
    if constexpr (Slots::scales_loss) {
      const result_type scaled{r, scaling.value};
      scaling.follow(settings.scaling, !r.skipped);
      return scaled;
    } else {
      return r;
    }
  }

  /// f(name, data, bytes) for everything that a bit-exact resume needs.
  template <class F>
  void for_each_state(F&& f) {
    f("weights", static_cast<void*>(weights.bytes().data()), weights.bytes().size());
    update.for_each_state(f);
    in_use.for_each_state(f);
    f("step", static_cast<void*>(&step), sizeof(step));
    if constexpr (Slots::scales_loss) f("loss scale", static_cast<void*>(&scaling), sizeof scaling);
  }

 private:
  /// Refuses options that nothing can be computed with.
  constexpr void check_options() const {
    require_options(settings);
    if constexpr (Slots::scales_loss) require_policy_options<scale_type>(settings.scaling);
  }
  /// The sum of losses, and the gradients of the final rows and of the head's weights.
  template <class Targets>
  CTLM_INLINE constexpr double through_head(const Targets& targets, values<const real> rows, real scale,
                                            std::size_t micro) {
    const ctlm::gradients<real> dfinal{activations.dfinal_rows};
    if constexpr (requires { targets.from_rows(context, rows, scale, activations.head_out, dfinal.data); }) {
      static_assert(
          Targets::numbers <= head_pass::out_numbers,
          "ctlm: vectors of sequences find no room in the memory of the head: a smaller config.batch needs less");
      if (micro == 0) {
        const auto unused = head_gradients();  // which a head would have written
        clear(unused.rows * unused.cols, unused.data);
      }
      return targets.from_rows(context, rows, scale, activations.head_out, dfinal.data);
    } else if constexpr (requires { targets.prepare(context, std::size_t{}, head.losses()); }) {
      // What the rows' gradients count depends on all rows' losses: the head is gone through once more, and first.
      head.loss(context, used(), rows, token_targets<cross_entropy_loss>{targets.tokens}, {activations.head_out});
      const double found = targets.prepare(context, M::shape.vocab, head.losses());
      head.gradient(context, used(), gradients, rows, targets, scale, {activations.head_out}, dfinal, micro > 0);
      return found;
    } else {
      return head.gradient(context, used(), gradients, rows, targets, scale, {activations.head_out}, dfinal, micro > 0);
    }
  }
  /// Those of the output projection; without numbers where it does not learn.
  constexpr auto head_gradients() const {
    auto g = [&] {
      if constexpr (learns_in_part<weights_type>)
        return gradients.head().numbers;
      else
        return gradients.head();
    }();
    if (g.data == nullptr) g.rows = 0;
    return g;
  }
  template <class... Base>
  constexpr void begin(const Base&... base) {
    context.exec = exec.get();
    parts::begin(context, weights, in_use, settings.seed, base...);
    activations.angles.template fill<M>(0, Batch::sequence);
    if constexpr (Slots::scales_loss) scaling.begin(settings.scaling);
  }
  /// Dropout of a micro-batch: another one in each step.
  constexpr dropout_masks masks(std::size_t micro) const {
    return {mix(mix(settings.seed, 0xD50), step * Batch::accumulate + micro), static_cast<double>(settings.dropout),
            M::shape.layers};
  }

  /// The end of a step, unless its numbers are not finite.
  constexpr step_result update_weights(double loss) {
    const auto number = static_cast<std::size_t>(step);
    const double norm = update.norm(context, gradients);
    const double lr = schedule::rate(settings.schedule, static_cast<double>(settings.optimizer.lr), number);
    check(math::isfinite(lr), errc::invalid_argument,
          "ctlm: the schedule's learning rate of step {where} is not a finite number", number);
    const step_result r{static_cast<float>(loss), static_cast<float>(norm), static_cast<float>(lr), number,
                        !math::isfinite(loss) || !math::isfinite(norm)};
    if (r.skipped) {
      ++skipped;
      return r;
    }
    const double left = changed(norm);
    const double limit = static_cast<double>(settings.clip_norm);
    const ctlm::update u{lr, updates_before(number) + 1, limit > 0 && left > limit ? limit / (left + 1e-6) : 1.0,
                         false};
    in_use.learn(weights, gradients, settings.optimizer, u, *context.exec);
    constexpr bool matrices = in_use_type::matrices_learn;
    if constexpr (Slots::groups::count == 0)
      update.template apply<matrices>(context, weights, gradients, settings.optimizer, u);
    else
      update.template apply<matrices, typename Slots::groups>(context, weights, gradients, settings.optimizer, u,
                                                              settings.groups);
    return r;
  }

  /// How many updates an optimizer counts before step `number`. Where the loss is scaled, some of the first steps are
  /// skipped as a rule, to find S, and they are none of its.
  constexpr std::size_t updates_before(std::size_t number) const {
    if constexpr (Slots::scales_loss)
      return number - scaling.skipped;
    else
      return number;
  }

  /// Does to the gradients, of this norm, what clip<> says, and returns the norm of what is left.
  constexpr double changed(double norm) {
    if constexpr (std::same_as<typename Slots::clip, clip_by_norm>) {
      return norm;
    } else {
      change_gradients<typename parts::model, typename Slots::clip>(context, gradients, norm, settings.clip);
      return update.norm(context, gradients);
    }
  }
};

}}  // namespace ctlm
