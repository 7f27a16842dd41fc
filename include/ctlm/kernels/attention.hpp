// SPDX-License-Identifier: MIT
// ctlm: causal attention with an online softmax (Dao et al. 2022, "FlashAttention"): keys pass by in tiles, no T x T
// matrix exists, and memory does not grow with the context.
#pragma once

#include "cross_entropy.hpp"
#include "dropout.hpp"
#include "matmul.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Rows and columns of a tile of scores.
inline constexpr std::size_t query_tile = 32;
inline constexpr std::size_t key_tile = 64;

/// Scratch of one worker.
template <class T>
struct attention_workspace {
  T* scores = nullptr;     // [max_rows][key_tile]
  T* gradients = nullptr;  // the same again, for the backward pass
  T* peak = nullptr;       // [max_rows] running maximum of each row's scores
  T* total = nullptr;      // [max_rows] running sum of exponentials
  T* panel = nullptr;      // workspace of the matrix product

  template <class Arch, class A>
  static constexpr attention_workspace place(A& a, Arch arch, std::size_t max_rows, std::size_t head_dim,
                                             bool backward) {
    attention_workspace ws;
    ws.scores = a.template allocate<T>(max_rows * key_tile);
    if (backward) ws.gradients = a.template allocate<T>(max_rows * key_tile);
    ws.peak = a.template allocate<T>(max_rows);
    ws.total = a.template allocate<T>(max_rows);
    const std::size_t tile = larger(max_rows, key_tile), widest = larger(head_dim, tile);
    ws.panel = a.template allocate<T>(gemm_workspace<T>(arch, tile, widest, widest));
    return ws;
  }
};

/// Rows of queries of one head. Row r sees the first `visible + r * step` keys.
template <class T>
struct query_rows {
  strided<T> q;
  std::size_t rows = 0;
  std::size_t visible = 0;
  std::size_t step = 1;
  std::size_t dropout_base = 0;    // element number of row 0, key 0 in the dropout mask
  std::size_t dropout_stride = 0;  // from one row to the next

  constexpr std::size_t sees(std::size_t r) const { return visible + r * step; }
  constexpr std::size_t most() const { return sees(rows - 1); }
  /// Row r alone.
  constexpr query_rows only(std::size_t r) const {
    return {{q.data + r * q.row, q.row, q.col}, 1, sees(r), step, dropout_base + r * dropout_stride, dropout_stride};
  }
};

/// Keys that row r sees within [first, first + count).
template <class T>
constexpr std::size_t visible_in_tile(const query_rows<T>& queries, std::size_t r, std::size_t first,
                                      std::size_t count) {
  const std::size_t seen = queries.sees(r);
  return seen <= first ? 0 : smaller(seen - first, count);
}

template <class T>
constexpr void clear(std::size_t n, T* x) {
  for (std::size_t i = 0; i < n; ++i) x[i] = T(0);
}

/// One row of scores becomes unnormalised probabilities; the running maximum, sum and output follow.
template <class Arch, class T>
constexpr void absorb_row(Arch arch, std::size_t seen, std::size_t count, std::size_t head_dim, T scale, T* scores,
                          T& peak, T& total, T* out) {
  if (seen > 0) {
    const T highest = math::max(peak, maximum(arch, seen, static_cast<const T*>(scores)) * scale);
    const T shrink = math::exp(peak - highest);
    total = total * shrink + sum(
                                 arch, seen,
                                 [=](auto& s) {
                                   using math::exp;
                                   s = exp(s * scale - highest);
                                   return s;
                                 },
                                 scores);
    if (shrink != T(1))
      elementwise(
          arch, head_dim, [=](auto& o) { o *= shrink; }, out);
    peak = highest;
  }
  clear(count - seen, scores + seen);
}

/// Divides a finished row of output by its sum of exponentials. False if the row holds a NaN or an infinity although
/// what it attends to need not.
template <class Arch, class T>
constexpr bool finish_row(Arch arch, const query_rows<T>& queries, std::size_t head_dim, T total, T* out) {
  const T inverse = T(1) / total;
  if (queries.step == 0 || queries.rows == 1) {  // all rows see all keys
    elementwise(
        arch, head_dim, [=](auto& o) { o *= inverse; }, out);
    return true;
  }
  const T difference = sum(
      arch, head_dim,
      [=](auto& o) {
        o *= inverse;
        return o - o;
      },
      out);
  return difference == T(0);
}

/// out[r] = softmax(q[r] . k * scale) v. `tiles(first, count)` yields {keys, values} as strided matrices of count rows.
/// `log_sum`, if given, receives log(sum of exponentials) of each row, which is all that the backward pass needs.
/// A row with a NaN among the keys and values it sees becomes NaN. One that does not see it is computed on its own,
/// since a product of the NaN with a probability of zero is NaN.
template <class Arch, class T, class Tiles>
CTLM_NOINLINE constexpr void attend(Arch arch, std::size_t head_dim, T scale, const query_rows<T>& queries,
                                    Tiles&& tiles, T* out, std::size_t out_stride, T* log_sum,
                                    const dropout_mask& dropout, attention_workspace<T>& ws) {
  for (std::size_t r = 0; r < queries.rows; ++r) {
    ws.peak[r] = -std::numeric_limits<T>::infinity();
    ws.total[r] = T(0);
    clear(head_dim, out + r * out_stride);
  }
  for (std::size_t first = 0; first < queries.most(); first += key_tile) {
    const std::size_t count = smaller(key_tile, queries.most() - first);
    const auto [keys, values] = tiles(first, count);
    gemm(arch, queries.rows, count, head_dim, queries.q, keys.transposed(), ws.scores, count, false, ws.panel);
    for (std::size_t r = 0; r < queries.rows; ++r) {
      const std::size_t seen = visible_in_tile(queries, r, first, count);
      T* row = ws.scores + r * count;
      absorb_row(arch, seen, count, head_dim, scale, row, ws.peak[r], ws.total[r], out + r * out_stride);
      if (dropout.active())
        apply_dropout(dropout, seen, row, queries.dropout_base + r * queries.dropout_stride + first);
    }
    gemm(arch, queries.rows, head_dim, count, row_major<T>(ws.scores, count), values, out, out_stride, true, ws.panel);
  }
  for (std::size_t r = 0; r < queries.rows; ++r) {
    const bool finite = finish_row(arch, queries, head_dim, ws.total[r], out + r * out_stride);
    if (log_sum != nullptr) log_sum[r] = ws.peak[r] + math::log(ws.total[r]);
    if (!finite) ws.total[r] = T(0);  // a mark: no sum of exponentials is zero
  }
  for (std::size_t r = 0; r < queries.rows; ++r)
    if (ws.total[r] == T(0))
      attend(arch, head_dim, scale, queries.only(r), tiles, out + r * out_stride, out_stride,
             log_sum == nullptr ? nullptr : log_sum + r, dropout, ws);
}

/// Where the heads of a training batch lie: rows of [q heads][k heads][v heads], `batch` sequences of `length` rows.
struct attention_shape {
  std::size_t batch, length, heads, kv_heads, head_dim;

  constexpr std::size_t group() const { return heads / kv_heads; }
  constexpr std::size_t q_dim() const { return heads * head_dim; }
  constexpr std::size_t kv_dim() const { return kv_heads * head_dim; }
  constexpr std::size_t qkv_dim() const { return q_dim() + 2 * kv_dim(); }
  template <class T>
  constexpr T scale() const {
    return T(1) / math::sqrt(static_cast<T>(head_dim));
  }
};

/// Rows [first, first + count) of one head of one sequence.
template <class T>
constexpr query_rows<T> queries_of(const attention_shape& s, const T* qkv, std::size_t b, std::size_t h,
                                   std::size_t first, std::size_t count) {
  return {row_major(qkv + (b * s.length + first) * s.qkv_dim() + h * s.head_dim, s.qkv_dim()),
          count,
          first + 1,
          1,
          ((b * s.heads + h) * s.length + first) * s.length,
          s.length};
}

template <class T>
struct key_value_tile {
  strided<T> keys;
  strided<T> values;
};

/// out[batch * length][q_dim], log_sum[batch][heads][length].
template <class Arch, executor E, class T>
constexpr void attention_forward(Arch arch, E& exec, const attention_shape& s, const T* qkv, T* out, T* log_sum,
                                 const dropout_mask& dropout, attention_workspace<T>* workers) {
  const std::size_t tiles = ceil_div(s.length, query_tile);
  exec.run(s.batch * s.heads * tiles, [&](std::size_t task, std::size_t worker) {
    const std::size_t b = task / (s.heads * tiles), h = task / tiles % s.heads, first = task % tiles * query_tile;
    const auto queries = queries_of(s, qkv, b, h, first, smaller(query_tile, s.length - first));
    const T* keys = qkv + b * s.length * s.qkv_dim() + s.q_dim() + h / s.group() * s.head_dim;
    attend(
        arch, s.head_dim, s.template scale<T>(), queries,
        [&](std::size_t j, std::size_t) {
          const T* k = keys + j * s.qkv_dim();
          return key_value_tile<T>{row_major(k, s.qkv_dim()), row_major(k + s.kv_dim(), s.qkv_dim())};
        },
        out + (b * s.length + first) * s.q_dim() + h * s.head_dim, s.q_dim(),
        log_sum + (b * s.heads + h) * s.length + first, dropout, workers[worker]);
  });
}

/// Gradients of one tile of scores: scores become probabilities P (after dropout), ws.gradients become dS.
template <class Arch, class T>
constexpr void attention_backward_tile(Arch arch, const attention_shape& s, const query_rows<T>& queries,
                                       std::size_t first, std::size_t count, const T* log_sum, const T* delta,
                                       const dropout_mask& dropout, attention_workspace<T>& ws) {
  const T scale = s.template scale<T>();
  for (std::size_t r = 0; r < queries.rows; ++r) {
    const std::size_t seen = visible_in_tile(queries, r, first, count);
    T* p = ws.scores + r * count;
    T* d = ws.gradients + r * count;
    const std::size_t element = queries.dropout_base + r * queries.dropout_stride + first;
    if (dropout.active()) apply_dropout(dropout, seen, d, element);
    const T shift = log_sum[r], mean = delta[r];
    elementwise(
        arch, seen,
        [=](auto& probability, auto& gradient) {
          using math::exp;
          probability = exp(probability * scale - shift);
          gradient = probability * (gradient - mean) * scale;
        },
        p, d);
    if (dropout.active()) apply_dropout(dropout, seen, p, element);
    clear(count - seen, p + seen);
    clear(count - seen, d + seen);
  }
}

/// dqkv = gradients of queries, keys and values, given those of the output (every element is written).
/// One task owns the keys and values of one head of one sequence, and the queries that share it.
template <class Arch, executor E, class T>
constexpr void attention_backward(Arch arch, E& exec, const attention_shape& s, const T* qkv, const T* out,
                                  const T* dout, const T* log_sum, T* dqkv, const dropout_mask& dropout,
                                  attention_workspace<T>* workers) {
  const std::size_t stride = s.qkv_dim(), q_dim = s.q_dim();
  exec.run(s.batch * s.kv_heads, [&](std::size_t task, std::size_t worker) {
    attention_workspace<T>& ws = workers[worker];
    const std::size_t b = task / s.kv_heads, kv = task % s.kv_heads, row0 = b * s.length;
    const std::size_t key_column = q_dim + kv * s.head_dim, value_column = key_column + s.kv_dim();
    for (std::size_t j = 0; j < s.length; j += key_tile) {
      const std::size_t keys = smaller(key_tile, s.length - j);
      const T* k = qkv + (row0 + j) * stride + key_column;
      const T* v = qkv + (row0 + j) * stride + value_column;
      T* dk = dqkv + (row0 + j) * stride + key_column;
      T* dv = dqkv + (row0 + j) * stride + value_column;
      bool started = false;  // the first tile writes dk and dv, the others add
      for (std::size_t h = kv * s.group(); h < (kv + 1) * s.group(); ++h) {
        for (std::size_t i = j / query_tile * query_tile; i < s.length; i += query_tile) {
          const std::size_t rows = smaller(query_tile, s.length - i);
          const auto queries = queries_of(s, qkv, b, h, i, rows);
          const T* o = out + (row0 + i) * q_dim + h * s.head_dim;
          const T* go = dout + (row0 + i) * q_dim + h * s.head_dim;
          const std::size_t count = smaller(keys, queries.most() - j);
          for (std::size_t r = 0; r < rows; ++r)  // delta = dO . O, the mean that softmax subtracts
            ws.total[r] = sum(
                arch, s.head_dim, [](const auto& x, const auto& y) { return x * y; }, o + r * q_dim, go + r * q_dim);
          gemm(arch, rows, count, s.head_dim, queries.q, row_major(k, stride).transposed(), ws.scores, count, false,
               ws.panel);
          gemm(arch, rows, count, s.head_dim, row_major(go, q_dim), row_major(v, stride).transposed(), ws.gradients,
               count, false, ws.panel);
          attention_backward_tile(arch, s, queries, j, count, log_sum + (b * s.heads + h) * s.length + i,
                                  static_cast<const T*>(ws.total), dropout, ws);
          const strided<T> p = row_major<T>(ws.scores, count), ds = row_major<T>(ws.gradients, count);
          if (!started)  // a first tile of few rows may not reach all keys
            for (std::size_t c = count; c < keys; ++c) {
              clear(s.head_dim, dk + c * stride);
              clear(s.head_dim, dv + c * stride);
            }
          gemm(arch, count, s.head_dim, rows, p.transposed(), row_major(go, q_dim), dv, stride, started, ws.panel);
          gemm(arch, count, s.head_dim, rows, ds.transposed(), queries.q, dk, stride, started, ws.panel);
          gemm(arch, rows, s.head_dim, count, ds, row_major(k, stride), dqkv + (row0 + i) * stride + h * s.head_dim,
               stride, j > 0, ws.panel);
          started = true;
        }
      }
    }
  });
}

}}  // namespace ctlm
