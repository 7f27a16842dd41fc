// SPDX-License-Identifier: MIT
// ctlm: a session: one sequence of tokens in flight, with its KV cache. Lives in an arena of lm::session_bytes.
#pragma once

#include "arguments.hpp"
#include "block.hpp"
#include "kv_cache.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What every kernel call of a model needs: how to compute, who computes, and scratch. F is how its matrices are
/// stored.
template <class M, class F = typename M::weights::format>
struct kernel_context {
  [[no_unique_address]] typename M::arch_policy arch{};
  typename M::executor_policy* exec = nullptr;
  linear_workspace<typename M::arch_policy, F, typename M::compute_format> linear{};
  attention_workspace<typename M::real> attention[M::executor_policy::max_workers]{};
};

/// Holds the user's executor, or, for one without state, an instance of its own.
template <class E>
struct executor_slot {
  constexpr executor_slot() = default;
  constexpr explicit executor_slot(E& e) : exec(&e) {}
  constexpr E* get() { return exec; }
  E* exec = nullptr;
};
template <class E>
requires std::is_empty_v<E>
struct executor_slot<E> {
  constexpr executor_slot() = default;
  constexpr explicit executor_slot(E&) {}
  constexpr E* get() { return &own; }
  E own{};
};

template <class M>
class offloaded_weights;

/// Where a session finds its weights: all of them at hand...
template <class M>
class weight_source {
 public:
  using handle = const typename M::const_weights;

  constexpr weight_source() = default;
  constexpr explicit weight_source(handle& w) : views_(w) {}
  /// The tensors that are not a layer's.
  constexpr handle& common() const { return views_; }
  constexpr handle& layer(std::size_t) const { return views_; }
  constexpr void done(std::size_t) const {}

 private:
  typename M::const_weights views_{};
};

/// ...or one layer after the other, as they arrive from a file.
template <class M>
requires M::memory_policy::streams class weight_source<M> {
 public:
  using handle = offloaded_weights<M>;

  constexpr weight_source() = default;
  explicit weight_source(handle& w) : stream_(&w) {}
  const auto& common() const { return stream_->common(); }
  const auto& layer(std::size_t l) const { return stream_->layer(l); }
  void done(std::size_t l) const { stream_->done(l); }

 private:
  handle* stream_ = nullptr;
};

template <class M>
class basic_session {
 public:
  using model = M;
  using real = typename M::real;
  using executor_type = typename M::executor_policy;
  static constexpr decoder_shape shape = M::shape;

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
  constexpr span<real> decode(token t) { return prefill(span<const token>(&t, 1)); }

  /// Takes tokens; returns the logits after the last of them.
  constexpr span<real> prefill(span<const token> tokens) {
    check(!tokens.empty(), errc::invalid_argument, "ctlm: prefill needs at least one token");
    for (std::size_t i = 0; i < tokens.size(); i += rows_at_once)
      forward(tokens.subspan(i, smaller(rows_at_once, tokens.size() - i)));
    const std::size_t last = (tokens.size() - 1) % rows_at_once;
    compute_logits(last);
    return {logits_, shape.vocab};
  }

  /// Takes tokens and calls f(i, logits) after each.
  template <class F>
  constexpr void score(span<const token> tokens, F&& f) {
    for (std::size_t i = 0; i < tokens.size(); i += rows_at_once) {
      const std::size_t n = smaller(rows_at_once, tokens.size() - i);
      forward(tokens.subspan(i, n));
      for (std::size_t r = 0; r < n; ++r) {
        compute_logits(r);
        f(i + r, span<real>(logits_, shape.vocab));
      }
    }
  }

  constexpr void reset() { position_ = 0; }
  constexpr std::size_t position() const { return position_; }
  /// Back to an earlier position: what follows is forgotten.
  constexpr void rewind(std::size_t position) {
    check(position <= position_, errc::invalid_argument, "ctlm: a session can only be rewound", position);
    position_ = position;
  }

  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { basic_session().place(a, a); });
  }
  static constexpr std::size_t cache_bytes_needed() {
    return measure([](auto& a) { (void)cache_type(a); });
  }

 private:
  static constexpr std::size_t rows_at_once = smaller(M::prefill_rows, shape.context);
  static constexpr bool rotary = shape.position == position_kind::rope;
  using cache_type = key_value_cache<typename M::shape_type, typename M::cache_format>;

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
    if (rotary) {
      cosine_ = a.template allocate<real>(rows_at_once * shape.head_dim / 2);
      sine_ = a.template allocate<real>(rows_at_once * shape.head_dim / 2);
    }
    c_.linear = decltype(c_.linear)::place(a, rows_at_once, shape.most_outputs(),
                                           larger(larger(d, shape.d_ff), shape.q_dim()), workers);
    overlay(
        a,
        [&](auto& attention) {
          qkv_ = attention.template allocate<real>(rows_at_once * shape.qkv_dim());
          attended_ = attention.template allocate<real>(rows_at_once * shape.q_dim());
          if (cache_type::tile_scratch > 0)
            tile_scratch_ = attention.template allocate<real>(workers * cache_type::tile_scratch);
          for (auto& ws : c_.attention)
            ws = attention_workspace<real>::place(attention, c_.arch, larger(smaller(rows_at_once, query_tile), group),
                                                  shape.head_dim, false);
        },
        [&](auto& feed_forward) {
          up_ = feed_forward.template allocate<real>(rows_at_once * shape.up_dim());
          activated_ = feed_forward.template allocate<real>(rows_at_once * shape.d_ff);
        });
  }

  /// A chunk of at most rows_at_once tokens through all blocks; x_ holds the result.
  constexpr void forward(span<const token> tokens) {
    const std::size_t rows = tokens.size();
    check(position_ + rows <= shape.context, errc::context_full, "ctlm: the context is full", position_);
    for (token t : tokens)
      check(t >= 0 && static_cast<std::size_t>(t) < shape.vocab, errc::invalid_argument,
            "ctlm: a token is outside the vocabulary", static_cast<std::size_t>(t));
    c_.exec = exec_.get();
    using weight_format = stored<typename M::weight_format>;
    embed(c_.arch, *c_.exec, weight_format{}, rows, tokens.data(),
          weights_.common().matrix_of(tensor_id::token_embedding), x_);
    if constexpr (rotary) {
      rope_angles(rows, shape.head_dim, position_, shape.rope_theta, cosine_, sine_);
    } else {
      add_positions(c_.arch, *c_.exec, weight_format{}, rows, rows, position_,
                    weights_.common().matrix_of(tensor_id::position_embedding), x_, normed_);
    }
    block_state<real, typename M::norm::template statistics<real>> s;
    s.x = s.mid = s.out = x_;
    s.normed = normed_;
    s.qkv = qkv_;
    s.attended = attended_;
    s.up = up_;
    s.activated = activated_;
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      block_forward<M>(
          c_, weights_.layer(layer), layer, rows, s,
          [&](real* qkv, real* out) { attend_cached(layer, rows, qkv, out); }, no_dropout{}, no_dropout{});
      weights_.done(layer);
      if (release_cache_) cache_.for_each_part(layer, release_cache_);
    }
    position_ += rows;
  }

  static constexpr std::size_t group = shape.heads / shape.kv_heads;

  constexpr void attend_cached(std::size_t layer, std::size_t rows, real* qkv, real* out) {
    constexpr std::size_t stride = shape.qkv_dim(), q_dim = shape.q_dim();
    if constexpr (rotary)
      rope(c_.arch, *c_.exec, rows, rows, shape.heads + shape.kv_heads, shape.head_dim, qkv, stride, cosine_, sine_,
           real(1));
    for (std::size_t r = 0; r < rows; ++r)
      cache_.store(layer, position_ + r, qkv + r * stride + q_dim, qkv + r * stride + q_dim + shape.kv_dim());
    // One token: the heads that share keys are the rows. Several: the tokens are, a tile of them and one head at a
    // time.
    const std::size_t work = shape.heads * rows * (position_ + rows) * shape.head_dim;
    const std::size_t row_tiles = ceil_div(rows, query_tile);
    auto one_task = [&](std::size_t task, std::size_t worker) {
      const std::size_t kv = rows == 1 ? task : task / row_tiles / group;
      auto tiles = [&](std::size_t first, std::size_t count) {
        return cache_.tile(c_.arch, layer, kv, first, count, tile_scratch_ + worker * cache_type::tile_scratch);
      };
      const real scale = real(1) / math::sqrt(real(shape.head_dim));
      const std::size_t column = kv * group * shape.head_dim;
      auto run = [&](const query_rows<real>& q, real* y, std::size_t y_stride) {
        attend(c_.arch, shape.head_dim, scale, q, tiles, y, y_stride, static_cast<real*>(nullptr), dropout_mask{},
               c_.attention[worker]);
      };
      if (rows == 1) {
        run({row_major<real>(qkv + column, shape.head_dim), group, position_ + 1, 0}, out + column, shape.head_dim);
      } else {
        const std::size_t first = task % row_tiles * query_tile, head = task / row_tiles * shape.head_dim;
        run({row_major<real>(qkv + first * stride + head, stride), smaller(query_tile, rows - first),
             position_ + first + 1, 1},
            out + first * q_dim + head, q_dim);
      }
    };
    const std::size_t tasks = rows == 1 ? shape.kv_heads : shape.heads * row_tiles;
    if (work < parallel_threshold)
      for (std::size_t task = 0; task < tasks; ++task) one_task(task, 0);
    else
      c_.exec->run(tasks, one_task);
  }

  constexpr void compute_logits(std::size_t row) {
    using norm = typename M::norm;
    norm::forward(c_.arch, shape.d_model, static_cast<const real*>(x_) + row * shape.d_model,
                  weights_.common().vector_of(tensor_id::norm_weight),
                  weights_.common().vector_of(tensor_id::norm_bias), normed_, shape.norm_eps);
    linear(c_.arch, *c_.exec, 1, static_cast<const real*>(normed_), weights_.common().head(), linear_terms<real>{},
           logits_, c_.linear);
  }

  weight_source<M> weights_{};
  [[no_unique_address]] executor_slot<executor_type> exec_{};
  kernel_context<M> c_{};
  cache_type cache_{};
  release_hook release_cache_{};
  std::size_t position_ = 0;
  real* x_ = nullptr;
  real* normed_ = nullptr;
  real* logits_ = nullptr;
  real* cosine_ = nullptr;
  real* sine_ = nullptr;
  real* qkv_ = nullptr;
  real* attended_ = nullptr;
  real* tile_scratch_ = nullptr;
  real* up_ = nullptr;
  real* activated_ = nullptr;
};

}}  // namespace ctlm
