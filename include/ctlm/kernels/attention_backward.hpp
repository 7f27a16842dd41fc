// SPDX-License-Identifier: MIT
// ctlm: the backward pass of attention over a training batch: scores are computed again, tile by tile.
#pragma once

#include "attention_rows.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Scores p become probabilities, and d, the gradients of those, become the scores' own.
template <class Backend, class T, class Rules>
constexpr void softmax_backward(Backend backend, const Rules& rules, std::size_t n, T scale, T shift, T mean, T* p,
                                T* d) {
  if constexpr (Rules::capped) {
    if (rules.cap != 0) {
      const T inward = scale / static_cast<T>(rules.cap);
      elementwise(
          backend, n,
          [=](auto& probability, auto& gradient) {
            using math::exp;
            const auto along = probability * inward;  // tanh of the score before its cap
            probability = exp(probability * scale - shift);
            gradient = probability * (gradient - mean) * scale *
                       (constant<std::remove_cvref_t<decltype(along)>>(1) - along * along);
          },
          p, d);
      return;
    }
  }
  elementwise(
      backend, n,
      [=](auto& probability, auto& gradient) {
        using math::exp;
        probability = exp(probability * scale - shift);
        gradient = probability * (gradient - mean) * scale;
      },
      p, d);
}

/// Gradients of one tile of scores: scores become probabilities P (after dropout), ws.gradients become dS.
template <class Backend, class T, class Rules, class Query>
constexpr void attention_backward_tile(Backend backend, const ruled_heads<Rules>& s,
                                       const query_rows<Query, Rules>& queries, std::size_t first, std::size_t count,
                                       const T* log_sum, const T* delta, const dropout_mask& dropout,
                                       attention_workspace<T>& ws) {
  const T scale = s.template scale<T>();
  for (std::size_t r = 0; r < queries.rows; ++r) {
    const auto [hidden, seen] = visible_in_tile(queries, r, first, count);
    T* const p = ws.scores + r * count + hidden;
    T* const d = ws.gradients + r * count + hidden;
    const std::size_t element = queries.dropout_base + r * queries.dropout_stride + first + hidden;
    if (dropout.active()) apply_dropout(dropout, seen, d, element);
    apply_rules(backend, queries.rules, seen, scale, p);
    softmax_backward(backend, queries.rules, seen, scale, log_sum[r], delta[r], p, d);
    if (dropout.active()) apply_dropout(dropout, seen, p, element);
    for (T* const row : {ws.scores + r * count, ws.gradients + r * count}) {
      clear(hidden, row);
      clear(count - hidden - seen, row + hidden + seen);
    }
  }
}

/// dqkv = gradients of queries, keys and values, given those of the output (every element is written).
/// Both qkv and the output may be stored in 16 bits.
/// One task owns the keys and values of one head of one sequence, and the queries that share it.
template <class Backend, executor E, class Rules, class T, class Input, class Output>
constexpr void attention_backward(Backend backend, E& exec, const ruled_heads<Rules>& s, const batch_rows& batch,
                                  const Input* qkv, const Output* out, const T* dout, const T* log_sum, T* dqkv,
                                  const dropout_mask& dropout, attention_workspace<T>* workers) {
  const std::size_t stride = s.qkv_dim(), q_dim = s.q_dim();
  exec.run(batch.sequences * s.kv_heads, [&](std::size_t task, std::size_t worker) {
    attention_workspace<T>& ws = workers[worker];
    const std::size_t b = task / s.kv_heads, kv = task % s.kv_heads, row0 = b * batch.length;
    const std::size_t key_column = q_dim + kv * s.head_dim, value_column = key_column + s.kv_dim();
    for (std::size_t j = 0; j < batch.length; j += key_tile) {
      const std::size_t keys = smaller(key_tile, batch.length - j);
      const Input* k = qkv + (row0 + j) * stride + key_column;
      const Input* v = qkv + (row0 + j) * stride + value_column;
      T* dk = dqkv + (row0 + j) * stride + key_column;
      T* dv = dqkv + (row0 + j) * stride + value_column;
      bool started = false;  // the first tile writes dk and dv, the others add
      for (std::size_t h = kv * s.group(); h < (kv + 1) * s.group(); ++h) {
        for (std::size_t i = j / query_tile * query_tile; i < batch.length; i += query_tile) {
          const std::size_t rows = smaller(query_tile, batch.length - i);
          const auto queries = attention_detail::queries_of(s, batch, batch.run(b), qkv, h, i, rows);
          if (queries.from(0) >= j + keys) break;  // their window, and that of later rows, begins behind these keys
          const Output* o = out + (row0 + i) * q_dim + h * s.head_dim;
          const T* go = dout + (row0 + i) * q_dim + h * s.head_dim;
          const std::size_t count = smaller(keys, queries.most() - j);
          for (std::size_t r = 0; r < rows; ++r)  // delta = dO . O, the mean that softmax subtracts
            ws.total[r] = sum(
                backend, s.head_dim, [](const auto& x, const auto& y) { return x * y; }, go + r * q_dim, o + r * q_dim);
          gemm(backend, rows, count, s.head_dim, queries.q, row_major(k, stride).transposed(), ws.scores, count, false,
               ws.panel);
          gemm(backend, rows, count, s.head_dim, row_major(go, q_dim), row_major(v, stride).transposed(), ws.gradients,
               count, false, ws.panel);
          attention_backward_tile(backend, s, queries, j, count, log_sum + (b * s.heads + h) * batch.length + i,
                                  static_cast<const T*>(ws.total), dropout, ws);
          const strided<T> p = row_major<T>(ws.scores, count), ds = row_major<T>(ws.gradients, count);
          if (!started)  // a first tile of few rows may not reach all keys
            for (std::size_t c = count; c < keys; ++c) {
              clear(s.head_dim, dk + c * stride);
              clear(s.head_dim, dv + c * stride);
            }
          gemm(backend, count, s.head_dim, rows, p.transposed(), row_major(go, q_dim), dv, stride, started, ws.panel);
          gemm(backend, count, s.head_dim, rows, ds.transposed(), queries.q, dk, stride, started, ws.panel);
          gemm(backend, rows, s.head_dim, count, ds, row_major(k, stride), dqkv + (row0 + i) * stride + h * s.head_dim,
               stride, j / key_tile > queries.from(0) / key_tile, ws.panel);
          started = true;
        }
      }
    }
  });
}

}}  // namespace ctlm
