// SPDX-License-Identifier: MIT
// ctlm: a trainer: weights, gradients, optimizer state and activations in one arena of train_bytes; a step allocates
// nothing.
#pragma once

#include "../model/causal_lm.hpp"
#include "../policy/optimizer/adamw.hpp"
#include "../policy/schedule/schedule.hpp"
#include "backward.hpp"
#include "config.hpp"
#include "quantisation_aware.hpp"

namespace ctlm { inline namespace CTLM_ABI {

struct step_result {
  float loss = 0;           // mean over the step's tokens, before the update
  float gradient_norm = 0;  // before clipping
  float lr = 0;
  std::size_t step = 0;  // number of this step, the first being 0
};

/// M is a causal_lm with weights<f32> (or f64), Recipe a tag with `static constexpr train_config config`.
/// Slots: optimizer<O> (default adamw), schedule<S> (default constant_rate), trained_for<F> (default: the model's own
/// format; another makes training aware of the quantisation that follows), recompute<N> (default
/// 0: memory for the activations of N layers is saved, at the price of about a fifth of the time where N is all).
template <class M, class Recipe, class... Slots>
class trainer {
  static_assert(
      native_format<typename M::weight_format> || quantised_format<typename M::weight_format>,
      "ctlm: wrong weight format: a trainer needs weights<f32> (or f64): to train for storage in 16 bits, use "
      "trained_for<bf16> or trained_for<f16>");
  static_assert(native_format<typename M::weight_format>,
                "ctlm: wrong weight format: a trainer needs weights<f32> (or f64); train first, then quantise");
  static_assert(check_slots<slot_kind::optimizer, slot_kind::recompute, Slots...>::ok);

 public:
  using model = M;
  using real = typename M::real;
  using optimizer_type = slot_or<slot_kind::optimizer, adamw, Slots...>;
  using schedule_type = slot_or<slot_kind::schedule, constant_rate, Slots...>;
  using target_format = slot_or<slot_kind::trained_for, typename M::weight_format, Slots...>;
  static constexpr std::size_t recomputed = slot_or<slot_kind::recompute, recomputed_layers<0>, Slots...>::value;
  using executor_type = typename M::executor_policy;
  using weights_type = typename M::weights;

  static constexpr decoder_shape shape = M::shape;
  static constexpr train_config config = Recipe::config;
  static constexpr std::size_t batch = config.batch;
  static constexpr std::size_t sequence = config.sequence == 0 ? shape.context : config.sequence;
  static constexpr std::size_t accumulate = config.accumulate;
  static constexpr std::size_t batch_tokens = batch * sequence;          // of a micro-batch
  static constexpr std::size_t step_tokens = accumulate * batch_tokens;  // of a step
  static_assert(batch > 0 && accumulate > 0, "ctlm: config.batch and config.accumulate must be at least 1");
  static_assert(recomputed <= shape.layers, "ctlm: recompute<N> takes at most as many layers as the model has");
  static_assert(sequence <= shape.context, "ctlm: config.sequence is longer than the model's context");

  /// Hyper-parameters, all with defaults. A misspelt one is named by the compiler if the options have a name:
  /// `trainer::options o{.optimizer = {.lr = 1e-3f}};` and not a list in braces among a constructor's arguments.
  struct options {
    std::uint64_t seed = 1337;
    typename optimizer_type::options optimizer{};
    typename schedule_type::options schedule{};
    float clip_norm = 1.0f;  // 0: no clipping
    float dropout = 0.0f;    // of embeddings, attention and both residual branches
  };

  /// Weights are drawn from `seed`: normal with deviation 0.02, residual projections smaller by sqrt(2 layers) (GPT-2).
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

  /// One optimizer step over step_tokens tokens: [accumulate][batch][sequence]. Targets of ignore_token take no part.
  constexpr step_result step(span<const token> inputs, span<const token> targets) {
    check(inputs.size() == step_tokens && targets.size() == step_tokens, errc::invalid_argument,
          "ctlm: step needs accumulate * batch * sequence tokens", inputs.size());
    prepare();
    clear_gradients();
    const std::size_t counted = count_targets(targets);
    double loss = 0;
    for (std::size_t i = 0; i < accumulate; ++i)
      loss += accumulate_gradients(inputs.subspan(i * batch_tokens, batch_tokens),
                                   hard_targets{targets.data() + i * batch_tokens}, counted, i);
    return apply_gradients(loss / static_cast<double>(larger(1, counted)));
  }

  /// One optimizer step towards what a teacher of the same batch shape and vocabulary predicts for the tokens: its
  /// whole distribution is the target, so that a few thousand tokens teach much.
  template <class Teacher>
  constexpr step_result distil(span<const token> inputs, Teacher& teacher) {
    static_assert(
        Teacher::batch_tokens == batch_tokens && Teacher::sequence == sequence && Teacher::shape.vocab == shape.vocab,
        "ctlm: a teacher needs the student's batch, sequence and vocabulary");
    check(inputs.size() == step_tokens, errc::invalid_argument,
          "ctlm: distil needs accumulate * batch * sequence tokens", inputs.size());
    prepare();
    clear_gradients();
    double loss = 0;
    for (std::size_t i = 0; i < accumulate; ++i) {
      const auto tokens = inputs.subspan(i * batch_tokens, batch_tokens);
      teacher.read(tokens);
      loss += accumulate_gradients(tokens, soft_targets<Teacher>{&teacher}, step_tokens, i);
    }
    return apply_gradients(loss / static_cast<double>(step_tokens));
  }
  /// A teacher's side: takes a micro-batch, and then yields logits [n][vocab] of some of its rows, which the caller may
  /// overwrite.
  constexpr void read(span<const token> inputs) {
    check(inputs.size() == batch_tokens, errc::invalid_argument, "ctlm: read needs batch * sequence tokens",
          inputs.size());
    prepare();
    forward(inputs.data(), masks{});
  }
  constexpr real* logits(std::size_t first, std::size_t n) {
    compute_logits(first, n);
    return logits_;
  }

  /// Gradients of the mean loss over one micro-batch, left in gradients(); returns the loss. No update.
  constexpr double forward_backward(span<const token> inputs, span<const token> targets) {
    check(inputs.size() == batch_tokens && targets.size() == batch_tokens, errc::invalid_argument,
          "ctlm: forward_backward needs batch * sequence tokens", inputs.size());
    prepare();
    clear_gradients();
    const std::size_t counted = count_targets(targets);
    return accumulate_gradients(inputs, hard_targets{targets.data()}, counted, 0) /
           static_cast<double>(larger(1, counted));
  }

  /// Mean loss over one micro-batch, without dropout.
  constexpr double evaluate(span<const token> inputs, span<const token> targets) {
    check(inputs.size() == batch_tokens && targets.size() == batch_tokens, errc::invalid_argument,
          "ctlm: evaluate needs batch * sequence tokens", inputs.size());
    prepare();
    forward(inputs.data(), masks{});
    const double total = head<false>(hard_targets{targets.data()}, real(0));
    return total / static_cast<double>(larger(1, count_targets(targets)));
  }

  constexpr const weights_type& weights() const { return weights_; }
  constexpr const weights_type& gradients() const { return gradients_; }
  /// The weights in the integer format that they are trained for.
  constexpr const auto& quantised() requires quantised_format<target_format> {
    prepare();
    return in_use_.codes();
  }
  constexpr const options& settings() const { return options_; }
  /// Steps done.
  constexpr std::size_t steps() const { return static_cast<std::size_t>(step_); }

  /// f(name, data, bytes) for everything that a bit-exact resume needs.
  template <class F>
  void for_each_state(F&& f) {
    f("weights", static_cast<void*>(weights_.bytes().data()), weights_.bytes().size());
    constexpr const char* names[] = {"moment1", "moment2", "moment3"};
    for (std::size_t i = 0; i < optimizer_type::moments; ++i)
      f(names[i], static_cast<void*>(moments_[i].bytes().data()), moments_[i].bytes().size());
    in_use_.for_each_state(f);
    f("step", static_cast<void*>(&step_), sizeof(step_));
  }

  /// Exact bytes of the arena.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { trainer().place(a, a); });
  }
  static constexpr std::size_t train_bytes = [] { return measure([](auto& a) { trainer().place(a, a); }); }();
  /// Those of them that are the optimizer's.
  static constexpr std::size_t state_bytes = optimizer_type::moments * M::weight_bytes;

 private:
  static constexpr std::size_t rows = batch_tokens;
  static constexpr std::size_t d = shape.d_model;
  static constexpr bool rotary = shape.position == position_kind::rope;
  static constexpr std::size_t head_rows = smaller(rows, 256);  // rows of logits alive at once
  static constexpr std::size_t chunk = 16384;                   // weights per task of norm and update
  static constexpr std::size_t stretch = 64 * chunk;            // weights whose state is in memory at once
  static constexpr attention_shape attention{batch, sequence, shape.heads, shape.kv_heads, shape.head_dim};
  using in_use_type = weights_in_use<M, target_format, optimizer_type>;
  using used_format = typename in_use_type::format;
  using statistics = typename M::norm::template statistics<real>;
  using state = block_state<real, statistics>;

  /// Dropout masks of one micro-batch.
  struct masks {
    std::uint64_t stream = 0;
    double rate = 0;
    constexpr dropout_mask at(std::size_t layer, std::size_t place) const {
      return rate > 0 ? dropout_mask(mix(stream, layer * 4 + place), rate) : dropout_mask{};
    }
    constexpr dropout_mask embedding() const { return at(shape.layers, 0); }
    constexpr dropout_mask attention(std::size_t layer) const { return at(layer, 1); }
    constexpr dropout_mask residual1(std::size_t layer) const { return at(layer, 2); }
    constexpr dropout_mask residual2(std::size_t layer) const { return at(layer, 3); }
  };

  constexpr trainer() = default;

  template <class A>
  constexpr void start(A& a) {
    require_room<bytes_needed()>(a, "trainer");
    place(a, a);
    begin();
  }
  template <class A, class S>
  constexpr void start(A& a, S& state_arena) {
    require_room<bytes_needed() - state_bytes>(a, "trainer without its optimizer's state");
    require_room<state_bytes>(state_arena, "state of the optimizer");
    release_state_ = release_hook::of(state_arena);
    place(a, state_arena);
    begin();
  }
  constexpr void begin() {
    initialise();
    if constexpr (rotary) rope_angles(sequence, shape.head_dim, 0, shape.rope_theta, cosine_, sine_);
  }

  template <class A, class S>
  constexpr void place(A& a, S& state_arena) {
    constexpr std::size_t workers = executor_type::max_workers;
    weights_.place(a);
    gradients_.place(a);
    in_use_.place(a);
    for (std::size_t i = 0; i < optimizer_type::moments; ++i) moments_[i].place(state_arena);
    partials_ = a.template allocate<double>(partial_sums());
    losses_ = a.template allocate<real>(rows);
    for (std::size_t l = 0; l < shape.layers; ++l) place_layer(a, l);
    final_ = a.template allocate<real>(rows * d);
    for (std::size_t l = 0; l < shape.layers; ++l) states_[l].out = l + 1 < shape.layers ? states_[l + 1].x : final_;
    final_statistics_ = place_statistics(a);
    if (rotary) {
      cosine_ = a.template allocate<real>(sequence * shape.head_dim / 2);
      sine_ = a.template allocate<real>(sequence * shape.head_dim / 2);
    }
    scratch_.normed = a.template allocate<real>(rows * d);
    scratch_.dnormed = a.template allocate<real>(rows * d);
    dx_ = a.template allocate<real>(rows * d);
    constexpr std::size_t widest = larger(rows, shape.most_outputs());
    c_.linear = decltype(c_.linear)::place(a, widest, widest, widest, workers);
    for (auto& ws : c_.attention) ws = attention_workspace<real>::place(a, c_.arch, query_tile, shape.head_dim, true);
    overlay(
        a, [&](auto& head) { logits_ = head.template allocate<real>(head_rows * shape.vocab); },
        [&](auto& feed_forward) { scratch_.activated = feed_forward.template allocate<real>(rows * shape.d_ff); },
        [&](auto& attend) {
          scratch_.dattended = attend.template allocate<real>(rows * shape.q_dim());
          scratch_.dqkv = attend.template allocate<real>(rows * shape.qkv_dim());
        });
  }

  template <class A>
  constexpr void place_layer(A& a, std::size_t layer) {
    state& s = states_[layer];
    s.x = a.template allocate<real>(rows * d);
    log_sums_[layer] = a.template allocate<real>(batch * shape.heads * sequence);
    s.norm1 = place_statistics(a);
    s.norm2 = place_statistics(a);
    if (layer > 0 && layer < recomputed) {  // one set of activations for all of them
      s.qkv = states_[0].qkv;
      s.attended = states_[0].attended;
      s.mid = states_[0].mid;
      s.up = states_[0].up;
    } else {
      s.qkv = a.template allocate<real>(rows * shape.qkv_dim());
      s.attended = a.template allocate<real>(rows * shape.q_dim());
      s.mid = a.template allocate<real>(rows * d);
      s.up = a.template allocate<real>(rows * shape.up_dim());
    }
  }

  template <class A>
  static constexpr statistics* place_statistics(A& a) {
    return a.template allocate<statistics>(rows);
  }

  constexpr void initialise() {
    rng random{mix(options_.seed)};
    const double residual = 0.02 / math::sqrt(2.0 * static_cast<double>(shape.layers));
    for (const tensor_info& t : M::tensors) {
      const auto i = static_cast<std::size_t>(t.id);
      if (t.kind == tensor_kind::matrix) {
        const bool into_residual = t.id == tensor_id::out_weight || t.id == tensor_id::down_weight;
        real* w = weights_.raw_matrix(i).data;
        for (std::size_t j = 0; j < t.size(); ++j)
          w[j] = static_cast<real>(random.normal() * (into_residual ? residual : 0.02));
      } else {
        const bool gain =
            t.id == tensor_id::norm1_weight || t.id == tensor_id::norm2_weight || t.id == tensor_id::norm_weight;
        for (std::size_t j = 0; j < t.size(); ++j) weights_.raw_vector(i)[j] = gain ? real(1) : real(0);
      }
    }
  }

  // ---- forward -------------------------------------------------------------------------------------------------

  constexpr const auto& used() const { return in_use_.of(weights_); }
  constexpr void prepare() { in_use_.refresh(weights_, steps(), *exec_.get()); }

  constexpr void forward(const token* tokens, const masks& drop) {
    for (std::size_t r = 0; r < rows; ++r)
      check(tokens[r] >= 0 && static_cast<std::size_t>(tokens[r]) < shape.vocab, errc::invalid_argument,
            "ctlm: a token is outside the vocabulary", static_cast<std::size_t>(tokens[r]));
    c_.exec = exec_.get();
    real* x = states_[0].x;
    embed(c_.arch, *c_.exec, used_format{}, rows, tokens, used().matrix_of(tensor_id::token_embedding), x);
    if constexpr (!rotary)
      add_positions(c_.arch, *c_.exec, used_format{}, rows, sequence, 0,
                    used().matrix_of(tensor_id::position_embedding), x, scratch_.normed);
    drop_embedding(drop, x);
    for (std::size_t l = 0; l < shape.layers; ++l)
      block_forward<M>(c_, used(), l, rows, state_of(l), attend(l, drop), drop.residual1(l), drop.residual2(l));
    norm_forward(typename M::norm{}, c_.arch, *c_.exec, rows, d, static_cast<const real*>(final_),
                 weight_vector(tensor_id::norm_weight), weight_vector(tensor_id::norm_bias), scratch_.normed,
                 shape.norm_eps, final_statistics_);
  }

  constexpr state state_of(std::size_t layer) const {
    state s = states_[layer];
    s.normed = scratch_.normed;
    s.activated = scratch_.activated;
    return s;
  }
  constexpr auto attend(std::size_t layer, const masks& drop) {
    return [this, layer, &drop](real* qkv, real* attended) {
      turn(qkv, real(1));
      attention_forward(c_.arch, *c_.exec, attention, static_cast<const real*>(qkv), attended, log_sums_[layer],
                        drop.attention(layer), c_.attention);
    };
  }

  constexpr const real* weight_vector(tensor_id id) const { return used().vector_of(id); }

  /// Rotates queries and keys of all rows, or back.
  constexpr void turn(real* qkv, real direction) {
    if constexpr (rotary)
      rope(c_.arch, *c_.exec, rows, sequence, shape.heads + shape.kv_heads, shape.head_dim, qkv, shape.qkv_dim(),
           static_cast<const real*>(cosine_), static_cast<const real*>(sine_), direction);
  }

  constexpr void drop_embedding(const masks& drop, real* x) {
    const dropout_mask mask = drop.embedding();
    if (mask.active()) apply_dropout(mask, rows * d, x, 0);
  }

  /// Targets of the loss: tokens...
  struct hard_targets {
    const token* tokens;
    constexpr void loss(trainer& t, std::size_t first, std::size_t n, real scale) const {
      cross_entropy(t.c_.arch, *t.c_.exec, n, shape.vocab, t.logits_, tokens + first, scale, t.losses_ + first);
    }
  };
  /// ...or a teacher's distributions.
  template <class Teacher>
  struct soft_targets {
    Teacher* teacher;
    constexpr void loss(trainer& t, std::size_t first, std::size_t n, real scale) const {
      soft_cross_entropy(t.c_.arch, *t.c_.exec, n, shape.vocab, t.logits_, teacher->logits(first, n), scale,
                         t.losses_ + first);
    }
  };

  constexpr void compute_logits(std::size_t first, std::size_t n) {
    linear(c_.arch, *c_.exec, n, static_cast<const real*>(scratch_.normed) + first * d, used().head(),
           linear_terms<real>{}, logits_, c_.linear);
  }

  /// The output projection and the loss, head_rows rows of logits at a time. With gradients, scratch_.dnormed receives
  /// those of the normalised output. Returns the sum of losses.
  template <bool with_gradients, class Targets>
  constexpr double head(const Targets& targets, real scale, bool add = false) {
    const auto w = used().head();
    for (std::size_t first = 0; first < rows; first += head_rows) {
      const std::size_t n = smaller(head_rows, rows - first);
      const real* x = scratch_.normed + first * d;
      compute_logits(first, n);
      targets.loss(*this, first, n, scale);
      if constexpr (with_gradients) {
        linear_backward_weight(c_.arch, *c_.exec, n, shape.vocab, d, static_cast<const real*>(logits_), x,
                               gradients_.head().data, add || first > 0, static_cast<real*>(nullptr), c_.linear);
        linear_backward_input(c_.arch, *c_.exec, n, shape.vocab, d, static_cast<const real*>(logits_), w.data,
                              scratch_.dnormed + first * d, false, c_.linear);
      }
    }
    double total = 0;
    for (std::size_t r = 0; r < rows; ++r) total += static_cast<double>(losses_[r]);
    return total;
  }

  // ---- backward ------------------------------------------------------------------------------------------------

  /// Adds one micro-batch's gradients of (sum of losses) / counted; returns the sum of losses.
  template <class Targets>
  constexpr double accumulate_gradients(span<const token> inputs, const Targets& targets, std::size_t counted,
                                        std::size_t micro) {
    const masks drop{mix(mix(options_.seed, 0xD50), static_cast<std::uint64_t>(step_) * accumulate + micro),
                     static_cast<double>(options_.dropout)};
    forward(inputs.data(), drop);
    const double loss = head<true>(targets, real(1) / static_cast<real>(larger(1, counted)), micro > 0);
    elementwise(
        c_.arch, rows * d, [](auto& v) { v = constant<std::remove_reference_t<decltype(v)>>(0); }, dx_);
    norm_backward(typename M::norm{}, c_.arch, *c_.exec, rows, d, static_cast<const real*>(final_),
                  weight_vector(tensor_id::norm_weight), static_cast<const real*>(scratch_.dnormed), dx_,
                  gradients_.vector_of(tensor_id::norm_weight), gradients_.vector_of(tensor_id::norm_bias),
                  final_statistics_);
    for (std::size_t l = shape.layers; l-- > 0;) {
      if constexpr (recomputed > 1)
        if (l + 1 < recomputed)  // the last one's are still there
          block_until_activation<M>(c_, used(), l, rows, state_of(l), attend(l, drop), drop.residual1(l));
      block_backward<M>(
          c_, used(), gradients_, l, rows, states_[l], scratch_, dx_,
          [&](const real* dattended, real* dqkv) {
            attention_backward(c_.arch, *c_.exec, attention, static_cast<const real*>(states_[l].qkv),
                               static_cast<const real*>(states_[l].attended), dattended,
                               static_cast<const real*>(log_sums_[l]), dqkv, drop.attention(l), c_.attention);
            turn(dqkv, real(-1));
          },
          drop.residual1(l), drop.residual2(l), micro > 0);
    }
    drop_embedding(drop, dx_);
    embed_backward(c_.arch, *c_.exec, rows, d, inputs.data(), static_cast<const real*>(dx_),
                   gradients_.matrix_of(tensor_id::token_embedding).data);
    if constexpr (!rotary)
      add_positions_backward(c_.arch, *c_.exec, rows, sequence, d, static_cast<const real*>(dx_),
                             gradients_.matrix_of(tensor_id::position_embedding).data);
    return loss;
  }

  // ---- update --------------------------------------------------------------------------------------------------

  static constexpr std::size_t partial_sums() {
    std::size_t n = 0;
    for (const tensor_info& t : M::tensors) n += ceil_div(t.size(), chunk);
    return n;
  }
  static constexpr real* data_of(const weights_type& w, const tensor_info& t) {
    const auto i = static_cast<std::size_t>(t.id);
    return t.kind == tensor_kind::matrix ? w.raw_matrix(i).data : w.raw_vector(i);
  }
  static constexpr std::size_t count_targets(span<const token> targets) {
    std::size_t n = 0;
    for (token t : targets) {
      check(t == ignore_token || (t >= 0 && static_cast<std::size_t>(t) < shape.vocab), errc::invalid_argument,
            "ctlm: a target is outside the vocabulary", static_cast<std::size_t>(t));
      n += t != ignore_token;
    }
    return n;
  }
  /// Those that are only ever added to; matrices of the layers and the head begin with the first micro-batch's.
  constexpr void clear_gradients() {
    c_.exec = exec_.get();
    for (const tensor_info& t : M::tensors) {
      const bool embedding =
          t.id == tensor_id::position_embedding || (t.id == tensor_id::token_embedding && !shape.tie_embeddings);
      if (t.kind == tensor_kind::matrix && !embedding) continue;
      real* g = data_of(gradients_, t);
      parallel_for(*c_.exec, t.size(), chunk,
                   [&](std::size_t first, std::size_t n, std::size_t) { clear(n, g + first); });
    }
  }

  /// Chunks of fixed size are summed in parallel, then their sums in order: the same bits for any thread count.
  constexpr double gradient_norm() {
    std::size_t base = 0;
    for (const tensor_info& t : M::tensors) {
      const real* g = data_of(gradients_, t);
      parallel_for(*c_.exec, t.size(), chunk, [&](std::size_t first, std::size_t n, std::size_t) {
        for (std::size_t i = 0; i < n; i += chunk) {
          const real s = sum(
              c_.arch, smaller(chunk, n - i), [](const auto& v) { return v * v; }, g + first + i);
          partials_[base + (first + i) / chunk] = static_cast<double>(s);
        }
      });
      base += ceil_div(t.size(), chunk);
    }
    double total = 0;
    for (std::size_t i = 0; i < base; ++i) total += partials_[i];
    return math::sqrt(total);
  }

  constexpr step_result apply_gradients(double loss) {
    const double norm = gradient_norm();
    const double limit = static_cast<double>(options_.clip_norm);
    const double scale = limit > 0 && norm > limit ? limit / (norm + 1e-6) : 1.0;
    const double lr = schedule_type::rate(options_.schedule, static_cast<double>(options_.optimizer.lr), steps());
    in_use_.learn(weights_, gradients_, options_.optimizer, update{lr, steps() + 1, scale, false}, *c_.exec);
    for (const tensor_info& t : M::tensors) {
      const update u{lr, steps() + 1, scale, t.kind == tensor_kind::matrix};
      for (std::size_t from = 0; from < t.size(); from += stretch) {
        const std::size_t count = smaller(stretch, t.size() - from);
        parallel_for(*c_.exec, count, chunk, [&](std::size_t first, std::size_t n, std::size_t) {
          real* moments[optimizer_type::moments + 1]{};
          for (std::size_t i = 0; i < optimizer_type::moments; ++i) moments[i] = data_of(moments_[i], t) + from + first;
          optimizer_type::apply(c_.arch, n, data_of(weights_, t) + from + first,
                                static_cast<const real*>(data_of(gradients_, t)) + from + first, moments,
                                options_.optimizer, u);
        });
        if (release_state_)
          for (std::size_t i = 0; i < optimizer_type::moments; ++i)
            release_state_(data_of(moments_[i], t) + from, count * sizeof(real));
      }
    }
    const step_result r{static_cast<float>(loss), static_cast<float>(norm), static_cast<float>(lr), steps()};
    ++step_;
    return r;
  }

  options options_{};
  [[no_unique_address]] executor_slot<executor_type> exec_{};
  kernel_context<M, used_format> c_{};
  std::uint64_t step_ = 0;
  weights_type weights_{};
  weights_type gradients_{};
  in_use_type in_use_{};
  weights_type moments_[larger(1, optimizer_type::moments)]{};
  release_hook release_state_{};
  state states_[shape.layers]{};
  real* log_sums_[shape.layers]{};
  real* final_ = nullptr;
  statistics* final_statistics_ = nullptr;
  block_scratch<real> scratch_{};
  real* dx_ = nullptr;
  real* cosine_ = nullptr;
  real* sine_ = nullptr;
  real* logits_ = nullptr;
  real* losses_ = nullptr;
  double* partials_ = nullptr;
};

}}  // namespace ctlm
