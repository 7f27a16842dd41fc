// SPDX-License-Identifier: MIT
// ctlm: a trainer: weights, gradients, optimizer state and activations in one arena of train_bytes; a step allocates
// nothing. The work is done by forward_pass, chunked_head, backward_pass and weight_update.
#pragma once

#include "../model/initialise.hpp"
#include "../policy/optimizer/adamw.hpp"
#include "../policy/schedule/schedule.hpp"
#include "backward_pass.hpp"
#include "chunked_head.hpp"
#include "quantisation_aware.hpp"
#include "weight_update.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct step_result {
  float loss = 0;           // mean over the step's tokens, before the update
  float gradient_norm = 0;  // before clipping
  float lr = 0;
  std::size_t step = 0;  // number of this step, the first being 0
  /// The loss or the gradient norm was not finite: weights and optimizer state are what they were before. The step
  /// counts all the same, so that data, schedule and dropout go on.
  bool skipped = false;
};

/// M is a causal_lm with weights<f32> (or f64), Recipe a tag with `static constexpr train_config config`. Slots, each
/// with its default: optimizer<adamw>, schedule<constant_rate>, loss<cross_entropy_loss>, head<vocabulary_head>,
/// trained_for<F> (the model's own format; another makes training aware of the quantisation that follows),
/// recompute<0> (memory for the activations of N layers is saved, at the price of about a fifth of the time where N is
/// all).
template <class M, class Recipe, class... Slots>
class trainer {
  static_assert(
      native_format<typename M::weight_format> || quantised_format<typename M::weight_format>,
      "ctlm: wrong weight format: a trainer needs weights<f32> (or f64): to train for storage in 16 bits, use "
      "trained_for<bf16> or trained_for<f16>");
  static_assert(native_format<typename M::weight_format>,
                "ctlm: wrong weight format: a trainer needs weights<f32> (or f64); train first, then quantise");
  static_assert(check_slots<slot_kind::optimizer, slot_kind::head, Slots...>::ok);
  using batch_type = batch_shape<M, Recipe>;

 public:
  using model = M;
  using real = typename M::real;
  using optimizer_type = slot_or<slot_kind::optimizer, adamw, Slots...>;
  using schedule_type = slot_or<slot_kind::schedule, constant_rate, Slots...>;
  using loss_type = slot_or<slot_kind::loss, cross_entropy_loss, Slots...>;
  using head_type = slot_or<slot_kind::head, vocabulary_head, Slots...>;
  using target_format = slot_or<slot_kind::trained_for, typename M::weight_format, Slots...>;
  static constexpr std::size_t recomputed = slot_or<slot_kind::recompute, recomputed_layers<0>, Slots...>::value;
  using executor_type = typename M::executor_policy;
  using weights_type = typename M::weights;

  static constexpr decoder_shape shape = M::shape;
  static constexpr train_config config = batch_type::config;
  static constexpr std::size_t batch = batch_type::batch, sequence = batch_type::sequence;
  static constexpr std::size_t accumulate = batch_type::accumulate;
  static constexpr std::size_t batch_tokens = batch_type::rows;          // of a micro-batch
  static constexpr std::size_t step_tokens = accumulate * batch_tokens;  // of a step
  static_assert(recomputed <= shape.layers, "ctlm: recompute<N> takes at most as many layers as the model has");

  /// Hyper-parameters, all with defaults. A misspelt one is named by the compiler if the options have a name:
  /// `trainer::options o{.optimizer = {.lr = 1e-3f}};` and not a list in braces among a constructor's arguments.
  /// Numbers that a step could not compute with are refused in words by the constructors.
  struct options {
    std::uint64_t seed = 1337;
    typename optimizer_type::options optimizer{};
    typename schedule_type::options schedule{};
    float clip_norm = 1.0f;  // 0: no clipping
    float dropout = 0.0f;    // of embeddings, attention and both residual branches
  };

  /// Weights are drawn from `seed` (model/initialise.hpp).
  template <arena A>
  requires std::is_empty_v<executor_type>
  constexpr trainer(A& a, const options& o) : options_(o) { start(a); }
  template <arena A>
  constexpr trainer(A& a, const options& o, executor_type& exec) : options_(o), exec_(exec) {
    start(a);
  }
  /// The same with the optimizer's state in an arena of its own, of state_bytes, on a disk perhaps (spill_arena); the
  /// first one then needs train_bytes - state_bytes.
  template <arena A, arena S>
  requires std::is_empty_v<executor_type>
  constexpr trainer(A& a, S& state_arena, const options& o) : options_(o) { start(a, state_arena); }
  template <arena A, arena S>
  constexpr trainer(A& a, S& state_arena, const options& o, executor_type& exec) : options_(o), exec_(exec) {
    start(a, state_arena);
  }
  /// Everything else does not compile, and says why.
  template <arena A>
  requires(!arguments::may_lack_executor<M>) constexpr trainer(A&, const options&) { arguments::no_executor<A>(); }
  template <arena A, arena S>
  requires(!arguments::may_lack_executor<M>) constexpr trainer(A&, S&, const options&) { arguments::no_executor<A>(); }
  template <arena A, class X>
  requires(!arguments::is_executor_of<M, X>) constexpr trainer(A&, const options&, X&) {
    arguments::other_executor<X>();
  }
  template <arena A, arena S, class X>
  requires(!arguments::is_executor_of<M, X>) constexpr trainer(A&, S&, const options&, X&) {
    arguments::other_executor<X>();
  }
  template <class A, class X>
  requires(!(arena<A> && arena<X>)) constexpr trainer(A&, X&, const options&) { arguments::not_a_trainers<A>(); }
  template <class A, class X>
  requires(!(arena<A> && std::is_convertible_v<X&, const options&>)) constexpr trainer(A&, X&) {
    arguments::not_a_trainers<A>();
  }
  template <class A, class... X>
  constexpr trainer(const options&, A&, X&...) {
    arguments::not_a_trainers<A>();
  }
  trainer(const trainer&) = delete;
  trainer& operator=(const trainer&) = delete;

  /// Before the first step: begins with these weights, in any format, instead of random ones.
  template <class F>
  constexpr void start_from(const weight_views<typename M::shape_type, F>& weights) {
    require_untrained();
    decode_weights(weights, weights_);
  }
  /// The same with what fill(weights) writes there: a file that is loaded in place, say.
  template <class Fill>
  requires std::is_invocable_v<Fill, const weights_type&>
  constexpr void start_from(Fill&& fill) {
    require_untrained();
    fill(static_cast<const weights_type&>(weights_));
  }

  /// One optimizer step over step_tokens tokens: [accumulate][batch][sequence]. Targets of ignore_token take no part;
  /// if all are, the loss and the gradients are 0. All tokens and targets are checked before anything changes.
  constexpr step_result step(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_pairs("ctlm: step needs accumulate * batch * sequence tokens, {needed}, and as many targets, not {had}",
                      inputs, targets, step_tokens);
    begin_gradients();
    double loss = 0;
    for (std::size_t i = 0; i < accumulate; ++i)
      loss += learn_from(inputs.subspan(i * batch_tokens, batch_tokens),
                         token_targets<loss_type>{targets.data() + i * batch_tokens}, counted, i);
    return update_weights(loss / static_cast<double>(larger(1, counted)));
  }

  /// One optimizer step towards what a teacher (train/teacher.hpp, or another trainer) of the same batch shape and
  /// vocabulary predicts for the tokens: its whole distribution is the target, so that a few thousand tokens teach
  /// much.
  template <class Teacher>
  constexpr step_result distil(span<const token> inputs, Teacher& teacher) {
    static_assert(
        Teacher::batch_tokens == batch_tokens && Teacher::sequence == sequence && Teacher::shape.vocab == shape.vocab,
        "ctlm: a teacher needs the student's batch, sequence and vocabulary");
    require_size("ctlm: distil needs accumulate * batch * sequence tokens, {needed}, not {had}", inputs, step_tokens);
    require_tokens(inputs, shape.vocab);
    begin_gradients();
    double loss = 0;
    for (std::size_t i = 0; i < accumulate; ++i) {
      const auto tokens = inputs.subspan(i * batch_tokens, batch_tokens);
      teacher.read(tokens);
      loss += learn_from(tokens, teacher_targets<Teacher>{&teacher}, step_tokens, i);
    }
    return update_weights(loss / static_cast<double>(step_tokens));
  }
  /// A teacher's side: takes a micro-batch, and then yields logits [n][vocab] of some of its rows, which the caller may
  /// overwrite.
  constexpr void read(span<const token> inputs) {
    require_size("ctlm: read needs batch * sequence tokens, {needed}, not {had}", inputs, batch_tokens);
    require_tokens(inputs, shape.vocab);
    refresh();
    read_ = forward(inputs, {});
  }
  constexpr real* logits(std::size_t first, std::size_t n) {
    return head_.logits(c_, used(), read_, first, n, {activations_.head_out}).data;
  }

  /// Gradients of the mean loss over one micro-batch, left in gradients(); returns the loss. No update.
  constexpr double forward_backward(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_pairs("ctlm: forward_backward needs batch * sequence tokens, {needed}, and as many targets, not {had}",
                      inputs, targets, batch_tokens);
    begin_gradients();
    return learn_from(inputs, token_targets<loss_type>{targets.data()}, counted, 0) /
           static_cast<double>(larger(1, counted));
  }

  /// Mean loss over one micro-batch, without dropout; 0 if all targets are ignore_token.
  constexpr double evaluate(span<const token> inputs, span<const token> targets) {
    const std::size_t counted =
        require_pairs("ctlm: evaluate needs batch * sequence tokens, {needed}, and as many targets, not {had}", inputs,
                      targets, batch_tokens);
    refresh();
    const values<const real> rows = forward(inputs, {});
    return head_.loss(c_, used(), rows, token_targets<loss_type>{targets.data()}, {activations_.head_out}) /
           static_cast<double>(larger(1, counted));
  }

  /// To read: start_from is the way in.
  constexpr typename M::const_weights weights() const { return weights_; }
  constexpr typename M::const_weights gradients() const { return gradients_; }
  /// The weights in the integer format that they are trained for.
  constexpr const auto& quantised() requires quantised_format<target_format> {
    refresh();
    return in_use_.codes();
  }
  constexpr const options& settings() const { return options_; }
  /// Steps done, those that were skipped among them.
  constexpr std::size_t steps() const { return static_cast<std::size_t>(step_); }

  /// False while its state is half of one run and half of another, because a checkpoint could not be read to its end
  /// (load_checkpoint, which sets this). Such a trainer raises a failure instead of computing.
  constexpr bool usable() const { return usable_; }
  constexpr void set_usable(bool usable) { usable_ = usable; }

  /// f(name, data, bytes) for everything that a bit-exact resume needs.
  template <class F>
  void for_each_state(F&& f) {
    f("weights", static_cast<void*>(weights_.bytes().data()), weights_.bytes().size());
    update_.for_each_state(f);
    in_use_.for_each_state(f);
    f("step", static_cast<void*>(&step_), sizeof(step_));
  }

  /// Exact bytes of the arena.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { trainer().place(a, a); });
  }
  static constexpr std::size_t train_bytes = [] { return measure([](auto& a) { trainer().place(a, a); }); }();
  /// Those of them that are the optimizer's.
  static constexpr std::size_t state_bytes = weight_update<M, optimizer_type>::state_bytes;

 private:
  using in_use_type = weights_in_use<M, target_format, optimizer_type>;
  using used_format = typename in_use_type::format;
  using head_pass = chunked_head<M, batch_type, head_type>;

  constexpr trainer() = default;

  template <class A>
  constexpr void start(A& a) {
    require_options(options_);
    require_room<bytes_needed()>(a, "trainer");
    place(a, a);
    begin();
  }
  template <class A, class S>
  constexpr void start(A& a, S& state_arena) {
    require_options(options_);
    require_room<bytes_needed() - state_bytes>(a, "trainer without its optimizer's state");
    require_room<state_bytes>(state_arena, "state of the optimizer");
    update_.release_to(release_hook::of(state_arena));
    place(a, state_arena);
    begin();
  }
  constexpr void begin() {
    c_.exec = exec_.get();
    initialise(weights_, options_.seed);
    activations_.angles.fill(shape, 0, sequence);
  }

  template <class A, class S>
  constexpr void place(A& a, S& state_arena) {
    constexpr std::size_t workers = executor_type::max_workers, widest = larger(batch_tokens, shape.most_outputs());
    weights_.place(a);
    gradients_.place(a);
    in_use_.place(a);
    update_.place(a, state_arena);
    head_.place(a);
    c_.linear = decltype(c_.linear)::place(a, widest, widest, widest, workers);
    for (auto& ws : c_.attention)
      ws = attention_workspace<real>::place(a, c_.backend, query_tile, shape.head_dim, true);
    activations_.place(a, head_pass::out_numbers);
  }

  constexpr const auto& used() const { return in_use_.of(weights_); }
  /// What the passes read follows what the last update wrote.
  constexpr void refresh() {
    check(usable_, errc::invalid_argument,
          "ctlm: this trainer is half loaded from a checkpoint that could not be read to its end: load one first");
    in_use_.refresh(weights_, steps(), *exec_.get());
  }
  constexpr void begin_gradients() {
    refresh();
    update_.clear(c_, gradients_);
  }

  constexpr values<const real> forward(span<const token> inputs, const dropout_masks& drop) {
    return forward_pass<M, batch_type, used_format>{}(c_, used(), activations_, inputs.data(), drop);
  }

  /// Adds one micro-batch's gradients of (sum of losses) / counted; returns the sum of losses.
  template <class Targets>
  constexpr double learn_from(span<const token> inputs, const Targets& targets, std::size_t counted,
                              std::size_t micro) {
    const dropout_masks drop{mix(mix(options_.seed, 0xD50), step_ * accumulate + micro),
                             static_cast<double>(options_.dropout), shape.layers};
    const ctlm::gradients<real> dfinal{activations_.dfinal_rows};
    const values<const real> rows = forward(inputs, drop);
    const double loss =
        head_.gradient(c_, used(), gradients_, rows, targets, real(1) / static_cast<real>(larger(1, counted)),
                       {activations_.head_out}, dfinal, micro > 0);
    backward_pass<M, batch_type, used_format, recomputed>{}(c_, used(), gradients_, activations_, dfinal, inputs.data(),
                                                            drop, micro > 0);
    return loss;
  }

  /// The end of a step, unless its numbers are not finite.
  constexpr step_result update_weights(double loss) {
    const double norm = update_.norm(c_, gradients_);
    const double lr = schedule_type::rate(options_.schedule, static_cast<double>(options_.optimizer.lr), steps());
    check(math::isfinite(lr), errc::invalid_argument,
          "ctlm: the schedule's learning rate of step {where} is not a finite number", steps());
    const step_result r{static_cast<float>(loss), static_cast<float>(norm), static_cast<float>(lr), steps(),
                        !math::isfinite(loss) || !math::isfinite(norm)};
    if (!r.skipped) {
      const double limit = static_cast<double>(options_.clip_norm);
      const update u{lr, steps() + 1, limit > 0 && norm > limit ? limit / (norm + 1e-6) : 1.0, false};
      in_use_.learn(weights_, gradients_, options_.optimizer, u, *c_.exec);
      update_.apply(c_, weights_, gradients_, options_.optimizer, u);
    }
    ++step_;
    return r;
  }

  constexpr void require_untrained() const {
    check(step_ == 0, failure{errc::invalid_argument, "ctlm: start_from comes before the first step, not after {had}",
                              0, 0, steps()});
  }
  static constexpr void require_size(const char* what, span<const token> tokens, std::size_t needed) {
    check(tokens.size() == needed, failure{errc::invalid_argument, what, 0, needed, tokens.size()});
  }
  /// Tokens and targets, checked; returns the number of targets that count.
  static constexpr std::size_t require_pairs(const char* what, span<const token> inputs, span<const token> targets,
                                             std::size_t needed) {
    require_size(what, inputs, needed);
    require_size(what, targets, needed);
    require_tokens(inputs, shape.vocab);
    return count_targets(targets, shape.vocab);
  }
  static constexpr void require_options(const options& o) {
    const failure problem =
        first_problem(below_one(static_cast<double>(o.dropout), "dropout"),
                      option_problem(o.clip_norm >= 0, "ctlm: {name} must be a number of at least 0", "clip_norm"),
                      options_problem<optimizer_type>(o.optimizer), options_problem<schedule_type>(o.schedule));
    check(problem.code == errc::ok, problem);
  }

  options options_{};
  [[no_unique_address]] executor_slot<executor_type> exec_{};
  kernel_context<M, used_format> c_{};
  std::uint64_t step_ = 0;
  bool usable_ = true;
  weights_type weights_{};
  weights_type gradients_{};
  in_use_type in_use_{};
  weight_update<M, optimizer_type> update_{};
  activation_memory<M, batch_type, recomputed> activations_{};
  head_pass head_{};
  values<const real> read_{};  // what a student asks about
};

}}  // namespace ctlm
