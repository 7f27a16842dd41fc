// SPDX-License-Identifier: MIT
// ctlm: a session: one sequence of tokens in flight, with its KV cache. Lives in an arena of lm::session_bytes.
#pragma once

#include "../policy/sampler/logits.hpp"
#include "arguments.hpp"
#include "block.hpp"
#include "embedding_scale.hpp"
#include "kernel_context.hpp"
#include "recent_cache.hpp"
#include "vocabulary.hpp"
#include "weight_source.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// One sequence of tokens in flight: it takes tokens, keeps their keys and values, and gives the logits of the next
/// token. It has no memory of its own: all it needs lies in an arena. Only one thread at a time may use a session.
template <class M>
class basic_session {
 public:
  using model = M;                                     ///< the causal_lm
  using real = typename M::real;                       ///< the type of logits
  using executor_type = typename M::executor_policy;   ///< what the constructor takes last, where it has state
  static constexpr decoder_shape shape = M::shape;     ///< the model's sizes
  using logits_type = logits_span<real, shape.vocab>;  ///< a span of them; where there are many, its type says so

  /// The weights and the arena's memory must outlive the session. Throws ctlm::error, or calls ctlm::fatal, when an
  /// arena of run-time size is too small; one of compile-time size does not compile.
  template <arena A>
  requires std::is_empty_v<executor_type>
  constexpr basic_session(typename weight_source<M>::handle& w, A& a) : weights_(w) {
    require_room<bytes_needed()>(a, "session");
    place(a, a);
  }
  template <arena A>
  constexpr basic_session(typename weight_source<M>::handle& w, A& a, executor_type& exec) : weights_(w), exec_(exec) {
    require_room<bytes_needed()>(a, "session");
    place(a, a);
  }
  /// The same with the KV cache in an arena of its own, of cache_bytes, on a disk perhaps (spill_arena); the first one
  /// then needs session_bytes - cache_bytes.
  template <arena A, arena C>
  requires std::is_empty_v<executor_type>
  constexpr basic_session(typename weight_source<M>::handle& w, A& a, C& cache) : weights_(w) { start(a, cache); }
  template <arena A, arena C>
  constexpr basic_session(typename weight_source<M>::handle& w, A& a, C& cache, executor_type& exec)
      : weights_(w), exec_(exec) {
    start(a, cache);
  }
  /// Everything else does not compile, and says why.
  template <class W, class A, class... X>
  requires(!(std::is_convertible_v<W&, typename weight_source<M>::handle&> && arena<A> &&
             arguments::end_fits<M, X...>)) constexpr basic_session(W&, A&, X&...) {
    arguments::not_a_sessions<M, typename weight_source<M>::handle, W, A, X...>();
  }
  basic_session(const basic_session&) = delete;
  basic_session& operator=(const basic_session&) = delete;

  /// Takes one token; returns the logits of the next, [vocab], valid until the next call (the caller may overwrite
  /// them). The token must be in the vocabulary and position() below context.
  constexpr logits_type decode(token t) { return prefill(span<const token>(&t, 1)); }

  /// Takes tokens; returns the logits after the last of them. All or nothing: where there is no room for all tokens
  /// (errc::context_full), or one of them is outside the vocabulary (errc::invalid_argument), it raises that error and
  /// the session is as it was. So do take and score.
  constexpr logits_type prefill(span<const token> tokens) {
    check(!tokens.empty(), errc::invalid_argument, "ctlm: prefill needs at least one token");
    take(tokens);
    return logits();
  }

  /// Takes tokens, or none, without computing logits: for text to which more will be added.
  constexpr void take(span<const token> tokens) {
    require_place(tokens);
    for (std::size_t i = 0, most = next_rows(); i < tokens.size(); i += most, most = next_rows())
      forward(tokens.subspan(i, smaller(most, tokens.size() - i)));
  }

  /// The logits after the last token taken, [vocab], valid until the next call (the caller may overwrite them). They
  /// are computed at each call, from the last token's final row, by a product with the head's matrix. Raises
  /// errc::invalid_argument if there is no such row: in an empty session, and in one just rewound.
  constexpr logits_type logits() {
    check(last_row_ != no_row, errc::invalid_argument,
          "ctlm: there are no logits: the session is empty or was rewound, and has taken no token since", position_);
    compute_logits(last_row_, 1, logits_);
    return {logits_, shape.vocab};
  }

  /// Takes tokens and calls f(i, logits) after token i, for each. The logits [vocab] are valid until f returns, and f
  /// may overwrite them. The head's matrix is read once for as many tokens of a chunk as there is room for logits in
  /// the session's scratch: with a large prompt_chunk this is nearly as fast as taking a prompt.
  template <class F>
  constexpr void score(span<const token> tokens, F&& f) {
    require_place(tokens);
    for (std::size_t i = 0, most = next_rows(); i < tokens.size(); i += most, most = next_rows()) {
      const std::size_t n = smaller(most, tokens.size() - i);
      forward(tokens.subspan(i, n));
      for (std::size_t r = 0; r < n; r += scored_rows) {
        const std::size_t rows = smaller(scored_rows, n - r);
        compute_logits(r, rows, scored_);
        for (std::size_t j = 0; j < rows; ++j) f(i + r + j, span<real>(scored_ + j * shape.vocab, shape.vocab));
      }
    }
  }

  /// Takes tokens and calls f(i, row) after token i, for each: its final row, [d_model], normalised, which heads with
  /// weights of their own read (model/predict.hpp). It is valid until f returns.
  template <class F>
  constexpr void final_rows(span<const token> tokens, F&& f) {
    require_place(tokens);
    for (std::size_t i = 0, most = next_rows(); i < tokens.size(); i += most, most = next_rows()) {
      const std::size_t n = smaller(most, tokens.size() - i);
      forward(tokens.subspan(i, n));
      normalise_final(0, n);
      for (std::size_t r = 0; r < n; ++r) f(i + r, span<const real>(normed_ + r * shape.d_model, shape.d_model));
    }
  }

  /// Forgets all tokens.
  constexpr void reset() { rewind(0); }
  /// Tokens taken so far: the position of the next one.
  constexpr std::size_t position() const { return position_; }
  /// Goes back to an earlier position and forgets the tokens from there on. A later one raises errc::invalid_argument,
  /// and so does one that can_rewind() says is gone; the session is as it was then.
  constexpr void rewind(std::size_t position) {
    check(position <= position_, failure{errc::invalid_argument,
                                         "ctlm: a session can only be rewound: it stands at {had}, not yet at {needed}",
                                         position, position, position_});
    check(
        can_rewind(position),
        failure{errc::invalid_argument,
                "ctlm: a session cannot go back to position {needed}: its layers with a window have forgotten what is "
                "seen from there, and {had} is the first that is left besides 0",
                position, position, cache_type::layout::first_after(first_kept_)});
    if (position == 0) first_kept_ = 0;
    if (position != position_) last_row_ = no_row;
    position_ = position;
  }

  /// Whether rewind() can go back to a position. It can go to 0, and at least prompt_chunk_rows back. Where a model has
  /// no window it can go anywhere; layers with one keep only what the next tokens see: the last window - 1 positions,
  /// and as many more as a chunk of a prompt has.
  constexpr bool can_rewind(std::size_t position) const {
    return position <= position_ && (position == 0 || cache_type::layout::first_seen(position) >= first_kept_);
  }

  /// Of a model with adapters<N>, while the session is empty: from now on it computes with this adapter, which must
  /// outlive it, or with the weights alone (nullptr). Raises errc::invalid_argument if the session is not empty, or the
  /// adapter's rank is above N.
  template <class Adapter>
  requires(M::adapter_rank > 0) constexpr void use(const Adapter* adapter) {
    check(position_ == 0,
          failure{errc::invalid_argument,
                  "ctlm: a session takes another adapter while it is empty: it has {had} tokens", 0, 0, position_});
    weights_.use(adapter);
  }

  /// What lm::session_bytes is computed from.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { basic_session().place(a, a); });
  }
  /// What lm::cache_bytes is computed from.
  static constexpr std::size_t cache_bytes_needed() {
    return measure([](auto& a) { (void)cache_type(a); });
  }

 private:
  static constexpr std::size_t rows_at_once = smaller(M::prompt_chunk_rows, shape.context);
  /// Rows whose logits have room where a block's numbers are: nobody needs these while the head works.
  static constexpr std::size_t scored_rows = larger(
      1, smaller(rows_at_once, rows_at_once* larger(shape.qkv_dim() + shape.q_dim(),
                                                    shape.feed_forwards_per_token() * shape.up_dim() + shape.d_ff) /
                                   shape.vocab));
  static constexpr std::size_t no_row = static_cast<std::size_t>(-1);
  static constexpr bool rotary = shape.position == position_kind::rope;
  using cache_parts_type = cache_parts<typename M::cache_format>;
  using rotation = typename cache_parts_type::rotation;
  static constexpr bool turns = !std::same_as<rotation, no_rotation>;  // the cache's rotation, not that of positions
  using cache_type = typename cache_for<typename M::shape_type, typename cache_parts_type::storage, rows_at_once>::type;
  using keys_type = cached_keys<cache_type, typename M::backend_policy, rows_at_once>;

  constexpr basic_session() = default;

  template <class A, class C>
  constexpr void start(A& a, C& cache) {
    require_room<bytes_needed() - cache_bytes_needed()>(a, "session without its KV cache");
    require_room<cache_bytes_needed()>(cache, "KV cache");
    release_cache_ = release_hook::of(cache);
    place(a, cache);
  }

  template <class A, class C>
  constexpr void place(A& a, C& cache) {
    constexpr std::size_t workers = executor_type::max_workers, d = shape.d_model;
    cache_ = cache_type(cache);
    x_ = a.template allocate<real>(rows_at_once * d);
    normed_ = a.template allocate<real>(rows_at_once * d);
    logits_ = a.template allocate<real>(shape.vocab);
    angles_ = rotary_angles<real>::place(a, shape, rows_at_once);
    c_.linear = decltype(c_.linear)::place(a, rows_at_once, shape.most_outputs(),
                                           larger(larger(d, shape.d_ff), shape.q_dim()), workers);
    session_context<M>::place(c_, a, rows_at_once);
    place_factors<M>(c_, a, rows_at_once, false);
    overlay(
        a,
        [&](auto& attention) {
          qkv_ = attention.template allocate<real>(rows_at_once * shape.qkv_dim());
          attended_ = attention.template allocate<real>(rows_at_once * shape.q_dim());
          if (keys_type::scratch_numbers > 0)
            tile_scratch_ = attention.template allocate<real>(workers * keys_type::scratch_numbers);
          if (keys_type::part_numbers > 0) parts_ = attention.template allocate<real>(keys_type::part_numbers);
          for (auto& ws : c_.attention)
            ws = attention_workspace<real>::place(attention, c_.backend,
                                                  larger(smaller(rows_at_once, query_tile), heads_of<M>.group()),
                                                  shape.head_dim, false);
        },
        [&](auto& feed_forward) {
          up_ = feed_forward.template allocate<real>(rows_at_once * shape.feed_forwards_per_token() * shape.up_dim());
          activated_ = feed_forward.template allocate<real>(rows_at_once * shape.d_ff);
          if constexpr (shape.experts > 0) {
            routed_ = routing<real>::place(feed_forward, shape, rows_at_once);
            routed_.moved = feed_forward.template allocate<real>(rows_at_once * d);
          }
        },
        [&](auto& head) {
          scored_ = scored_rows > 1 ? head.template allocate<real>(scored_rows * shape.vocab) : logits_;
        });
  }

  /// How many tokens may go through the layers together now.
  constexpr std::size_t next_rows() const {
    if constexpr (cache_type::cut > 0)
      return smaller(rows_at_once, cache_type::cut - position_ % cache_type::cut);
    else
      return rows_at_once;
  }

  constexpr void require_place(span<const token> tokens) const {
    check(tokens.size() <= shape.context - position_,
          failure{errc::context_full, "ctlm: the context is full: {needed} positions needed, {had} left", position_,
                  tokens.size(), shape.context - position_});
    require_tokens(tokens, shape.vocab);
  }

  /// A chunk of at most rows_at_once tokens through all blocks; x_ holds the result.
  constexpr void forward(span<const token> tokens) {
    const std::size_t rows = tokens.size();
    last_row_ = no_row;
    // From here on, even if something fails on the way: rings lose their oldest positions layer by layer.
    first_kept_ = larger(first_kept_, cache_type::layout::first_kept(position_ + rows));
    c_.exec = exec_.get();
    using weight_format = stored<typename M::weight_format>;
    embed(c_.backend, *c_.exec, weight_format{}, rows, tokens.data(),
          weights_.common().matrix_of(tensor_id::token_embedding), x_);
    scale_embeddings<M>(c_, rows, x_);
    if constexpr (rotary) {
      angles_.template fill<M>(position_, rows);
    } else {
      add_positions(c_.backend, *c_.exec, weight_format{}, rows, rows, position_,
                    weights_.common().matrix_of(tensor_id::position_embedding), x_, normed_);
    }
    block_state<real, typename M::norm::template statistics<real>> s;
    s.x = s.mid = s.out = x_;
    s.normed = s.branch1 = s.branch2 = normed_;
    s.qkv = qkv_;
    s.attended = attended_;
    s.up = up_;
    s.activated = activated_;
    s.routed = routed_;
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      const auto& w = weights_.layer(layer);
      auto attend_rows = [&](real* qkv, real* out) { attend(w, layer, {rows, position_}, qkv, out); };
      block_forward<M>(c_, w, layer, rows, s, attend_rows, no_dropout{}, no_dropout{});
      weights_.done(layer);
      if (release_cache_) cache_.for_each_part(layer, release_cache_);
    }
    position_ += rows;
    last_row_ = rows - 1;
  }

  /// Queries and keys turn by their positions, keys and values go to the cache, and the rows attend to it.
  template <class W>
  CTLM_NOINLINE constexpr void attend([[maybe_unused]] const W& w, std::size_t layer, const session_rows& rows,
                                      real* qkv, real* out) {
    normalise_heads<M>(c_, w, layer, rows.rows, qkv);
    rotate<M>(c_, layer, rows.rows, angles_, qkv, real(1));
    if constexpr (turns)  // queries, keys and values alike
      each_head(rows.rows, shape.heads + 2 * shape.kv_heads, qkv,
                [](auto b, real* x) { rotation::forward(b, shape.head_dim, x); });
    const keys_type keys{&cache_, layer, tile_scratch_, parts_};
    keys.store(rows, heads_of<M>, qkv);
    attention_forward(c_.backend, *c_.exec, heads_of_layer<M>(layer), rows, static_cast<const real*>(qkv), keys, out,
                      static_cast<real*>(nullptr), dropout_mask{}, c_.attention);
    if constexpr (turns)
      each_head(rows.rows, shape.heads, out, [](auto b, real* x) { rotation::backward(b, shape.head_dim, x); });
  }

  /// f(backend, head) for all heads of all rows, of `heads` heads each.
  template <class F>
  constexpr void each_head(std::size_t rows, std::size_t heads, real* x, F&& f) {
    parallel_for(*c_.exec, rows, larger(1, 8192 / (heads * shape.head_dim)),
                 [&](std::size_t first, std::size_t count, std::size_t) {
                   for (std::size_t i = first * heads; i < (first + count) * heads; ++i)
                     f(c_.backend, x + i * shape.head_dim);
                 });
  }

  /// What the head reads of rows [row, row + rows), to the first ones of normed_.
  CTLM_INLINE constexpr void normalise_final(std::size_t row, std::size_t rows) {
    const auto& w = weights_.common();
    norm_forward(typename M::norm{}, c_.backend, *c_.exec, rows, shape.d_model, x_ + row * shape.d_model,
                 w.vector_of(tensor_id::norm_weight), w.vector_of(tensor_id::norm_bias), normed_, shape.norm_eps,
                 nullptr);
  }
  /// Logits [rows][vocab] after rows [row, row + rows).
  CTLM_NOINLINE constexpr void compute_logits(std::size_t row, std::size_t rows, real* logits) {
    normalise_final(row, rows);
    const auto& w = weights_.common();
    linear_layer<M>(c_, w.head(), nullptr, rows, normed_, nullptr, logits);
    if constexpr (shape.logit_cap > 0)
      cap_logits(c_.backend, *c_.exec, rows * shape.vocab, static_cast<real>(shape.logit_cap), logits);
  }

  weight_source<M> weights_{};
  [[no_unique_address]] executor_slot<executor_type> exec_{};
  typename session_context<M>::type c_{};
  cache_type cache_{};
  release_hook release_cache_{};
  std::size_t position_ = 0;
  std::size_t first_kept_ = 0;     // positions from here to position_ are in all layers
  std::size_t last_row_ = no_row;  // of x_: the last token taken
  real* x_ = nullptr;
  real* normed_ = nullptr;
  real* logits_ = nullptr;
  real* scored_ = nullptr;  // [scored_rows][vocab]
  rotary_angles<real> angles_{};
  real* qkv_ = nullptr;
  real* attended_ = nullptr;
  real* tile_scratch_ = nullptr;
  real* parts_ = nullptr;
  real* up_ = nullptr;
  real* activated_ = nullptr;
  routing<real> routed_{};
};

}}  // namespace ctlm
