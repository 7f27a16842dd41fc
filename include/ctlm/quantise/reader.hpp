// SPDX-License-Identifier: MIT
// ctlm: many tokens through a model, layer by layer.
#pragma once

#include "../core/rng.hpp"
#include "../model/block.hpp"
#include "../model/embedding_scale.hpp"
#include "../model/kernel_context.hpp"
#include "../model/vocabulary.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Takes many tokens through model M, in sequences of `Sequence`: all of them through one layer, then all of
/// them through the next. So the weights of one layer are enough at a time, and whoever looks at what a layer's
/// matrices see is done with it before the next begins.
template <class M, std::size_t Sequence>
class layer_reader {
  static_assert(!M::shape.is_factored(),
                "ctlm: matrices are rounded by what they see in models without factored<> alone: quantise() rounds "
                "factors");

 public:
  using real = typename M::real;                                                       ///< numbers of arithmetic
  static constexpr decoder_shape shape = M::shape;                                     ///< the model's sizes
  static constexpr std::size_t d = shape.d_model;                                      ///< numbers in a row
  static constexpr std::size_t widest = larger(larger(d, shape.d_ff), shape.q_dim());  ///< numbers in a matrix's row

  /// Memory that stays, for at most `tokens` tokens, whole sequences of them.
  template <class A>
  constexpr void place(A& a, std::size_t tokens) {
    most_ = tokens / Sequence * Sequence;
    ids_ = a.template allocate<token>(most_);
    x_ = a.template allocate<real>(most_ * d);
    normed_ = a.template allocate<real>(Sequence * d);
    angles_ = rotary_angles<real>::place(a, shape, Sequence);
  }
  /// Memory that only reading needs.
  template <class A>
  constexpr void place_scratch(A& a) {
    constexpr std::size_t workers = M::executor_policy::max_workers;
    c_.linear = decltype(c_.linear)::place(a, Sequence, shape.most_outputs(), widest, workers);
    for (auto& ws : c_.attention)
      ws = attention_workspace<real>::place(a, c_.backend, query_tile, shape.head_dim, false);
    qkv_ = a.template allocate<real>(Sequence * shape.qkv_dim());
    attended_ = a.template allocate<real>(Sequence * shape.q_dim());
    up_ = a.template allocate<real>(Sequence * shape.feed_forwards_per_token() * shape.up_dim());
    activated_ = a.template allocate<real>(Sequence * shape.d_ff);
    routed_ = routing<real>::place(a, shape, Sequence);
    if constexpr (shape.experts > 0) routed_.moved = a.template allocate<real>(Sequence * d);
  }

  /// Who does the work from now on.
  constexpr void use(typename M::executor_policy& exec) { c_.exec = &exec; }

  /// Tokens that are read: whole sequences from the beginning of a text.
  constexpr void take(span<const token> text) {
    check(
        text.size() >= Sequence,
        failure{errc::invalid_argument, "ctlm: a quantiser reads sequences of {needed} tokens, and the text has {had}",
                0, Sequence, text.size()});
    require_tokens(text, shape.vocab);
    count_ = smaller(most_, text.size() / Sequence * Sequence);
    for (std::size_t i = 0; i < count_; ++i) ids_[i] = text[i];
  }
  /// Tokens that are read: any of the vocabulary, equally likely. They tell which inputs are large about as well as
  /// tokens do that the model expects one by one.
  constexpr void draw(std::uint64_t seed) {
    rng random{seed};
    count_ = most_;
    for (std::size_t i = 0; i < count_; ++i) ids_[i] = static_cast<token>(random.below(shape.vocab));
  }

  /// The embeddings of all tokens.
  template <class W>
  constexpr void begin(const W& weights) {
    using format = typename W::format;
    embed(c_.backend, *c_.exec, format{}, count_, ids_, weights.matrix_of(tensor_id::token_embedding), x_);
    scale_embeddings<M>(c_, count_, x_);
    if constexpr (shape.position == position_kind::learned)
      add_positions(c_.backend, *c_.exec, format{}, count_, Sequence, 0,
                    weights.matrix_of(tensor_id::position_embedding), x_, normed_);
    angles_.template fill<M>(0, Sequence);
  }

  /// All tokens through one layer. `seen` has its matrices: those of `weights`, or such as look at their inputs.
  template <class W, class Seen>
  constexpr void read_layer(const W& weights, const Seen& seen, std::size_t layer) {
    for (std::size_t first = 0; first < count_; first += Sequence) read_sequence(weights, seen, layer, x_ + first * d);
  }
  /// One sequence through one layer: rows [Sequence][d_model] become what the next layer sees.
  template <class W, class Seen>
  constexpr void read_sequence(const W& weights, const Seen& seen, std::size_t layer, real* rows) {
    block_state<real, typename M::norm::template statistics<real>> s;
    s.x = s.mid = s.out = rows;
    s.normed = s.branch1 = s.branch2 = normed_;
    s.qkv = qkv_;
    s.attended = attended_;
    s.up = up_;
    s.activated = activated_;
    s.routed = routed_;
    auto attend_rows = [&](real* qkv, real* out) { attend(weights, layer, qkv, out); };
    block_forward<M>(c_, seen, layer, Sequence, s, attend_rows, no_dropout{}, no_dropout{});
  }

  /// Which experts the rows of the sequence take that is being read, or was read last.
  constexpr const routing<real>& routed() const { return routed_; }

  /// What flows from layer to layer, of all tokens that are read: [tokens][d_model]. May be written.
  constexpr span<real> stream() const { return {x_, count_ * d}; }

  /// Logits [n][vocab] of rows [n][d_model] that the head sees, n <= Sequence.
  template <class W>
  constexpr void logits(const W& weights, std::size_t n, const real* rows, real* out) {
    linear(c_.backend, *c_.exec, n, rows, weights.head(), linear_terms<real>{}, out, c_.linear);
    if constexpr (shape.logit_cap > 0)
      cap_logits(c_.backend, *c_.exec, n * shape.vocab, static_cast<real>(shape.logit_cap), out);
  }

  /// f(rows) for what the head sees of each sequence: [Sequence][d_model].
  template <class W, class F>
  constexpr void for_each_final_row(const W& weights, F&& f) {
    for (std::size_t first = 0; first < count_; first += Sequence) f(final_rows(weights, x_ + first * d));
  }
  /// What the head sees of one sequence [Sequence][d_model] that the last layer left; valid until the next call.
  template <class W>
  constexpr const real* final_rows(const W& weights, const real* rows) {
    norm_forward(typename M::norm{}, c_.backend, *c_.exec, Sequence, d, rows, weights.vector_of(tensor_id::norm_weight),
                 weights.vector_of(tensor_id::norm_bias), normed_, shape.norm_eps, nullptr);
    return normed_;
  }

 private:
  /// Attention within one sequence.
  template <class W>
  constexpr void attend([[maybe_unused]] const W& weights, std::size_t layer, real* qkv, real* out) {
    normalise_heads<M>(c_, weights, layer, Sequence, qkv);
    rotate<M>(c_, layer, Sequence, angles_, qkv, real(1));
    const auto heads = heads_of_layer<M>(layer);
    const batch_keys<real, std::remove_cv_t<decltype(heads)>> keys{qkv, heads, Sequence};
    attention_forward(c_.backend, *c_.exec, heads, batch_rows{1, Sequence}, static_cast<const real*>(qkv), keys, out,
                      static_cast<real*>(nullptr), dropout_mask{}, c_.attention);
  }

  kernel_context<M> c_{};
  std::size_t most_ = 0;    // tokens that there is room for
  std::size_t count_ = 0;   // tokens that are read
  token* ids_ = nullptr;    // [most_]
  real* x_ = nullptr;       // [most_][d_model]
  real* normed_ = nullptr;  // [Sequence][d_model]
  rotary_angles<real> angles_{};
  real* qkv_ = nullptr;
  real* attended_ = nullptr;
  real* up_ = nullptr;
  real* activated_ = nullptr;
  routing<real> routed_{};
};

}}  // namespace ctlm
