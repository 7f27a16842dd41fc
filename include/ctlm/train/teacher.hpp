// SPDX-License-Identifier: MIT
// ctlm: a teacher: a model that only reads, a batch at a time. It has a forward pass and a head, and neither gradients
// nor optimizer state.
#pragma once

#include "chunked_head.hpp"
#include "forward_pass.hpp"
#include "slots.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The activations of a forward pass that no backward pass follows: all layers share one set.
template <class M, class Batch>
struct reading_memory {
  using real = typename M::real;                                          ///< numbers of arithmetic
  using statistics = typename M::norm::template statistics<real>;         ///< never kept here
  static constexpr std::size_t rows = Batch::rows, d = M::shape.d_model;  ///< tokens of a micro-batch, and d_model

  block_state<real, statistics> layers[1]{};  ///< the one set
  real* log_sums[M::shape.layers]{};          ///< all nullptr: only backward passes read them
  real* last = nullptr;                       ///< [rows][d_model] the output of the last block
  statistics* last_statistics = nullptr;      ///< nullptr
  rotary_angles<real> angles{};               ///< of the positions of a sequence
  real* normed = nullptr;                     ///< [rows][d_model] the normalised input of a projection
  real* final_rows = nullptr;                 ///< [rows][d_model] `last`, normalised. The same memory as `normed`
  real* head_out = nullptr;                   ///< [256][outputs] logits, or fewer rows where the micro-batch has fewer
  real* turned = nullptr;                     ///< [rows][qkv_dim] of models that normalise heads

  /// Asks an arena for all buffers; the head is lent head_numbers numbers.
  template <class A>
  constexpr void place(A& a, std::size_t head_numbers) {
    auto& s = layers[0];
    s.x = s.mid = s.out = last = a.template allocate<real>(rows * d);
    s.normed = s.branch1 = s.branch2 = normed = final_rows = a.template allocate<real>(rows * d);
    angles = rotary_angles<real>::place(a, M::shape, Batch::sequence);
    overlay(
        a, [&](auto& head) { head_out = head.template allocate<real>(head_numbers); },
        [&](auto& attention) {
          s.qkv = attention.template allocate<real>(rows * M::shape.qkv_dim());
          s.attended = attention.template allocate<real>(rows * M::shape.q_dim());
          if constexpr (M::shape.qk_norm) turned = attention.template allocate<real>(rows * M::shape.qkv_dim());
        },
        [&](auto& feed_forward) {
          s.up = feed_forward.template allocate<real>(rows * M::shape.feed_forwards_per_token() * M::shape.up_dim());
          s.activated = feed_forward.template allocate<real>(rows * M::shape.d_ff);
          s.routed = routing<real>::place(feed_forward, M::shape, rows);
          if constexpr (M::shape.experts > 0) s.routed.moved = feed_forward.template allocate<real>(rows * d);
        });
  }
  /// The buffers of any layer.
  constexpr const block_state<real, statistics>& of_layer(std::size_t) const { return layers[0]; }
};

/// Reads batches of Recipe's shape with weights of M, in any format that decodes as it multiplies. For trainer::distil,
/// and for losses of finished models: `teacher<lm, recipe> t(weights, arena);`. The weights and the arena's memory of
/// bytes_needed() must outlive it. Compute is what its products multiply, as in a trainer's slot: bf16 or f16 are
/// faster where the processor has products of such numbers.
template <class M, class Recipe, class Compute = decoded>
class teacher {
  using batch_type = batch_shape<M, Recipe>;
  using format = typename M::weights::format;
  using head_pass = chunked_head<M, batch_type, vocabulary_head>;

 public:
  using model = M;                                    ///< the causal_lm
  using real = typename M::real;                      ///< the type of logits
  using executor_type = typename M::executor_policy;  ///< what the constructor takes last, where it has state
  static constexpr decoder_shape shape = M::shape;    ///< the model's sizes

  /// Sequences of a micro-batch, and tokens of each.
  static constexpr std::size_t batch = batch_type::batch, sequence = batch_type::sequence;
  static constexpr std::size_t batch_tokens = batch_type::rows;  ///< tokens of a micro-batch

  /// Takes weights and an arena with room for bytes_needed(); the memory of both must outlive it. Throws ctlm::error,
  /// or calls ctlm::fatal, when an arena of run-time size is too small; one of compile-time size does not compile.
  template <arena A>
  requires std::is_empty_v<executor_type>
  constexpr teacher(const typename M::const_weights& weights, A& a) : weights_(weights) { start(a); }
  template <arena A>
  constexpr teacher(const typename M::const_weights& weights, A& a, executor_type& exec)
      : weights_(weights), exec_(exec) {
    start(a);
  }
  teacher(const teacher&) = delete;
  teacher& operator=(const teacher&) = delete;

  /// Takes a micro-batch of batch_tokens, [batch][sequence]. Another number of tokens, or one outside the vocabulary,
  /// raises errc::invalid_argument.
  constexpr void read(span<const token> inputs) {
    check(inputs.size() == batch_tokens,
          failure{errc::invalid_argument, "ctlm: read needs batch * sequence tokens, {needed}, not {had}", 0,
                  batch_tokens, inputs.size()});
    require_tokens(inputs, shape.vocab);
    rows_ = forward_pass<M, batch_type, format>{}(c_, weights_, activations_, inputs.data(), {});
  }
  /// Logits [n][vocab] of rows [first, first + n) of what was read, n being at most 256; the caller may overwrite them.
  constexpr real* logits(std::size_t first, std::size_t n) {
    return head_pass::logits(c_, weights_, rows_, first, n, {activations_.head_out}).data;
  }
  /// Mean loss, in nats, over the tokens of a micro-batch; rows whose target is ignore_token do not count, and if all
  /// are, the loss is 0. Errors as in read.
  constexpr double evaluate(span<const token> inputs, span<const token> targets) {
    check(targets.size() == batch_tokens,
          failure{errc::invalid_argument, "ctlm: evaluate needs batch * sequence targets, {needed}, not {had}", 0,
                  batch_tokens, targets.size()});
    const std::size_t counted = count_targets(targets, shape.vocab);
    read(inputs);
    return head_.loss(c_, weights_, rows_, token_targets<cross_entropy_loss>{targets.data()}, {activations_.head_out}) /
           static_cast<double>(larger(1, counted));
  }

  /// Exact bytes of the arena, weights not among them.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { teacher().place(a); });
  }

 private:
  constexpr teacher() = default;

  template <class A>
  constexpr void start(A& a) {
    require_room<bytes_needed()>(a, "teacher");
    place(a);
    c_.exec = exec_.get();
    activations_.angles.template fill<M>(0, sequence);
  }
  template <class A>
  constexpr void place(A& a) {
    constexpr std::size_t workers = executor_type::max_workers;
    head_.place(a);
    c_.linear = decltype(c_.linear)::place(a, batch_tokens, shape.most_outputs(),
                                           larger(larger(shape.d_model, shape.d_ff), shape.q_dim()), workers);
    place_factors<M>(c_, a, batch_tokens, false);
    for (auto& ws : c_.attention)
      ws = attention_workspace<real>::place(a, c_.backend, query_tile, shape.head_dim, false);
    activations_.place(a, head_pass::out_numbers);
  }

  typename M::const_weights weights_{};
  [[no_unique_address]] executor_slot<executor_type> exec_{};
  kernel_context<M, format, computing_in<typename M::backend_policy, Compute>> c_{};
  reading_memory<M, batch_type> activations_{};
  head_pass head_{};
  values<const real> rows_{};
};

}}  // namespace ctlm
