// SPDX-License-Identifier: MIT
// ctlm: training that begins with whole matrices and goes on with factored ones, in the same memory: until a step, or
// until validation says so, the model learns without its factored<>; then each matrix that it names becomes the product
// that is nearest to it, the optimizer's state is carried over, and the rest of the steps cost what those of the
// factored model do. Not part of <ctlm/ctlm.hpp>.
#pragma once

#include "../memory/span_arena.hpp"
#include "../model/factorise_weights.hpp"
#include "carried_moments.hpp"
#include "checkpoint_bytes.hpp"
#include "trainer.hpp"

#include <new>

namespace ctlm { inline namespace CTLM_ABI {

/// When a run goes on with factors, and how.
struct progression {
  static constexpr std::size_t never = static_cast<std::size_t>(-1);  ///< of switch_at

  std::size_t switch_at = never;  ///< steps with whole matrices
  std::size_t patience = 0;       ///< or after so many losses in a row, given to judge(), that were no better; 0: never
  float gain = 0.01f;             ///< what is better: less than the best loss by more than this share of it
  float rate = 1;                 ///< by what the learning rate is multiplied from then on; above 0
  factor_options factorisation{.power_steps = 2};  ///< how products are found
};

/// A trainer of M, a model with factored<>, that begins as one of M::whole_model. Recipe and Slots as those of trainer,
/// but for trained_for<> and train_only<>. All of it lies in one arena of train_bytes.
template <class M, class Recipe, class... Slots>
class progressive_trainer {
  using slots = trainer_slots<M, Slots...>;
  static_assert(M::shape.is_factored(), "ctlm: progressive_trainer needs a model with factored<>");
  static_assert(
      !slots::in_part && !slots::own_head && std::same_as<typename slots::target_format, typename M::weight_format>,
      "ctlm: progressive_trainer takes no train_only<>, trained_for<> and heads with weights of their own yet");
  static_assert(says_moment_kinds<typename slots::optimizer>,
                "ctlm: progressive_trainer must know what each number of the optimizer's state is: give the optimizer "
                "`static constexpr ctlm::moment_kind moment_kinds[moments] = {...};`");

 public:
  using model = M;                                               ///< what comes of it
  using whole_model = typename M::whole_model;                   ///< what it begins with
  using whole_trainer = trainer<whole_model, Recipe, Slots...>;  ///< of the first steps
  using factored_trainer = trainer<M, Recipe, Slots...>;         ///< of the others
  using real = typename M::real;                                 ///< the type of weights
  using options = typename whole_trainer::options;               ///< hyper-parameters: see trainer_options
  using executor_type = typename M::executor_policy;             ///< the model's

  static constexpr decoder_shape shape = M::shape;                          ///< the model's sizes
  static constexpr std::size_t batch = whole_trainer::batch;                ///< as in trainer
  static constexpr std::size_t sequence = whole_trainer::sequence;          ///< as in trainer
  static constexpr std::size_t batch_tokens = whole_trainer::batch_tokens;  ///< as in trainer
  static constexpr std::size_t step_tokens = whole_trainer::step_tokens;    ///< as in trainer

 private:
  using optimizer = typename slots::optimizer;
  static constexpr std::size_t moments = carried_moments<optimizer>;
  static constexpr std::size_t staged = round_up((1 + moments) * M::weight_bytes, memory_alignment);
  static constexpr std::size_t scratch = round_up(factorise_bytes<M>(), memory_alignment);
  // What of the first trainer lies behind everything that the switch reads.
  static constexpr std::size_t behind = measure([](auto& a) {
    using learning_type = learning<whole_model, batch_shape<whole_model, Recipe>, trainer_slots<whole_model, Slots...>>;
    decltype(learning_type::activations){}.place(a, learning_type::head_pass::out_numbers);
  });

 public:
  /// Exact bytes of the arena: those of the larger trainer, or what the switch needs for a moment, if that is more.
  static constexpr std::size_t train_bytes =
      larger(larger(whole_trainer::train_bytes, factored_trainer::train_bytes + staged),
             whole_trainer::train_bytes - behind + staged + scratch);

  /// The arena's memory must outlive the trainer. Raises errc::invalid_argument for options that cannot be computed
  /// with, out_of_memory for an arena that is too small.
  template <arena A>
  requires std::is_empty_v<executor_type> progressive_trainer(A& a, const options& o, const progression& p)
      : settings_(o), progression_(p) {
    start(a);
  }
  template <arena A>
  progressive_trainer(A& a, const options& o, const progression& p, executor_type& exec)
      : exec_(exec), settings_(o), progression_(p) {
    start(a);
  }
  progressive_trainer(const progressive_trainer&) = delete;
  progressive_trainer& operator=(const progressive_trainer&) = delete;
  ~progressive_trainer() { end(); }

  /// As trainer::step. The first of the steps that are to be done with factors makes them.
  step_result step(span<const token> inputs, span<const token> targets) {
    if (!factored_ && steps() >= progression_.switch_at) factorise();
    return visit([&](auto& t) { return t.step(inputs, targets); });
  }
  /// As trainer::evaluate.
  double evaluate(span<const token> inputs, span<const token> targets) {
    return visit([&](auto& t) { return t.evaluate(inputs, targets); });
  }
  /// Takes a validation loss; after `patience` of them in a row that were no better than the best one, goes on with
  /// factors. Returns whether it has, at this call.
  bool judge(double loss) {
    if (factored_ || progression_.patience == 0) return false;
    if (judged_.count == 0 || loss < judged_.best * (1 - static_cast<double>(progression_.gain))) {
      judged_ = {loss, 1, 0};
      return false;
    }
    if (++judged_.no_better < progression_.patience) return false;
    factorise();
    return true;
  }
  /// Goes on with factors from here. Raises what factorise_weights fails with: weights that are not finite.
  void factorise() {
    if (factored_) return;
    stage();
    end();
    make<factored_trainer>();
    copy_state(front_.factored);
  }

  /// Whether the model has factors now.
  bool is_factored() const { return factored_; }
  /// Steps done.
  std::size_t steps() const { return factored_ ? front_.factored.steps() : front_.whole.steps(); }
  /// f(trainer), of the one that there is now: whole_trainer or factored_trainer.
  template <class F>
  decltype(auto) visit(F&& f) {
    return factored_ ? f(front_.factored) : f(front_.whole);
  }
  /// The weights of the factored model. Raises errc::invalid_argument before there are any.
  typename M::const_weights weights() const {
    check(factored_, errc::invalid_argument, "ctlm: the weights are not factored yet: factorise() comes first");
    return front_.factored.weights();
  }

  /// save(trainer, sections), which is save_checkpoint or put_checkpoint of them: sections are what has been judged.
  template <class Save>
  result<void> save(Save&& save) {
    const checkpoint_section extra[] = {{"judged", &judged_, sizeof judged_}};
    return visit([&](auto& t) -> result<void> { return save(t, span<const checkpoint_section>(extra, 1)); });
  }
  /// load(trainer, sections), which is load_checkpoint or take_checkpoint: the run goes on to the bit where it was
  /// saved, before the switch or after it. Errors: those of `load`, after which the trainer may be one that raises a
  /// failure instead of computing, until something has been loaded.
  template <class Load>
  result<void> resume(Load&& load) {
    const checkpoint_section extra[] = {{"judged", &judged_, sizeof judged_}};
    const span<const checkpoint_section> sections(extra, 1);
    const auto first = visit([&](auto& t) -> result<void> { return load(t, sections); });
    if (first || first.error().code != errc::wrong_model) return first;
    const bool was = factored_;
    change(!was);
    const auto second = visit([&](auto& t) -> result<void> { return load(t, sections); });
    if (!second) visit([](auto& t) { t.set_usable(false); });
    if (!second && second.error().code == errc::wrong_model) return first;
    return second;
  }

 private:
  struct judgement {
    double best = 0;
    std::uint64_t count = 0, no_better = 0;
  };
  union front {
    front() {}
    ~front() {}
    char none = 0;
    whole_trainer whole;
    factored_trainer factored;
  };

  template <class A>
  void start(A& a) {
    option_rules().positive(progression_.rate, "rate").not_negative(progression_.gain, "gain").require();
    if (const failure f = problem_of(progression_.factorisation); f.code != errc::ok) raise(f);
    require_room<train_bytes>(a, "progressive trainer");
    memory_ = {a.template allocate<std::byte>(train_bytes), train_bytes};
    make<whole_trainer>();
  }
  void end() {
    if (factored_)
      front_.factored.~factored_trainer();
    else
      front_.whole.~whole_trainer();
  }
  void change(bool to_factored) {
    end();
    if (to_factored)
      make<factored_trainer>();
    else
      make<whole_trainer>();
  }
  template <class T>
  void make() {
    constexpr bool of_factors = std::same_as<T, factored_trainer>;
    options o = settings_;
    if constexpr (of_factors) o.optimizer.lr *= progression_.rate;
    span_arena a(memory_);
    void* place = nullptr;
    if constexpr (of_factors)
      place = &front_.factored;
    else
      place = &front_.whole;
    if constexpr (std::is_empty_v<executor_type>)
      new (place) T(a, o);
    else
      new (place) T(a, o, *exec_.get());
    factored_ = of_factors;
  }

  template <class T>
  static span<std::byte> section(T& t, const char* name) {
    span<std::byte> found;
    t.for_each_state([&](const char* its, void* data, std::size_t bytes) {
      if (__builtin_strcmp(its, name) == 0) found = {static_cast<std::byte*>(data), bytes};
    });
    return found;
  }
  static const char* moment_name(std::size_t i) {
    constexpr const char* names[] = {"moment1", "moment2", "moment3"};
    return names[i];
  }
  span<std::byte> staging(std::size_t i) const {
    return memory_.subspan(train_bytes - staged + i * M::weight_bytes, M::weight_bytes);
  }
  static typename M::weights views(span<std::byte> bytes) { return M::weights::bind(bytes).value(); }

  /// Weights and optimizer state of the factored model, to the end of the memory, where the trainer of whole matrices
  /// has activations.
  void stage() {
    using whole_weights = typename whole_model::weights;
    auto& exec = *exec_.get();
    span_arena room(memory_.subspan(train_bytes - staged - scratch, scratch));
    const auto w = views(staging(0));
    const auto found = factorise_weights<M>(whole_weights::bind(section(front_.whole, "weights")).value(), w, room,
                                            exec, progression_.factorisation);
    if (!found) raise(found.error());
    typename M::weights mean;
    bool has_mean = false;
    for (std::size_t i = 0; i < moments; ++i) {
      const moment_kind kind = kind_of_moment<optimizer>(i);
      const span<std::byte> bytes = staging(1 + i);
      for (std::byte& b : bytes) b = std::byte{0};
      const auto to = views(bytes);
      carry_moment<M>(exec, kind, w, whole_weights::bind(section(front_.whole, moment_name(i))).value(), to,
                      has_mean ? &mean : nullptr);
      if (kind != moment_kind::mean) continue;
      mean = to;
      has_mean = true;
    }
    step_ = front_.whole.steps();
    if constexpr (whole_trainer::scales_loss) copy(section(front_.whole, "loss scale"), scale_bytes());
  }
  static void copy(span<const std::byte> from, span<std::byte> to) {
    __builtin_memcpy(to.data(), from.data(), to.size());
  }
  span<std::byte> scale_bytes() { return {reinterpret_cast<std::byte*>(&scale_), sizeof scale_}; }
  void copy_state(factored_trainer& t) {
    copy(staging(0), section(t, "weights"));
    for (std::size_t i = 0; i < moments; ++i) copy(staging(1 + i), section(t, moment_name(i)));
    const std::uint64_t step = step_;
    __builtin_memcpy(section(t, "step").data(), &step, sizeof step);
    if constexpr (whole_trainer::scales_loss) copy(scale_bytes(), section(t, "loss scale"));
  }

  [[no_unique_address]] executor_slot<executor_type> exec_{};
  options settings_{};
  progression progression_{};
  judgement judged_{};
  span<std::byte> memory_{};
  std::uint64_t step_ = 0;
  loss_scale scale_{};
  bool factored_ = false;
  front front_;
};

}}  // namespace ctlm
