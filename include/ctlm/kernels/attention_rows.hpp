// SPDX-License-Identifier: MIT
// ctlm: attention of many rows, of one sequence or of several: who computes what.
#pragma once

#include "attention.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Heads of a row: [heads] queries, [kv_heads] keys, [kv_heads] values, of head_dim numbers each. heads / kv_heads
/// neighbours share keys and values.
template <class Rules>
struct ruled_heads {
  std::size_t heads, kv_heads, head_dim;
  double query_scale = 0;               ///< factor of the scores; 0: 1 / sqrt(head_dim)
  [[no_unique_address]] Rules rules{};  ///< what becomes of scores

  constexpr std::size_t group() const { return heads / kv_heads; }
  constexpr std::size_t q_dim() const { return heads * head_dim; }
  constexpr std::size_t kv_dim() const { return kv_heads * head_dim; }
  constexpr std::size_t qkv_dim() const { return q_dim() + 2 * kv_dim(); }
  template <class T>
  constexpr T scale() const {
    return query_scale > 0 ? static_cast<T>(query_scale) : T(1) / math::sqrt(static_cast<T>(head_dim));
  }
};
using head_shape = ruled_heads<plain_scores>;

/// Rows that follow each other in one sequence: row first + i is its position `position + i`.
struct row_run {
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t sequence = 0;
  std::size_t position = 0;
};

/// The rows of a session: the next ones of its one sequence.
struct session_rows {
  std::size_t rows = 0;
  std::size_t position = 0;

  constexpr std::size_t runs() const { return 1; }
  constexpr std::size_t longest() const { return rows; }
  constexpr row_run run(std::size_t) const { return {0, rows, 0, position}; }
};

/// The rows of a training batch: whole sequences of the same length, one after the other.
struct batch_rows {
  std::size_t sequences = 0;
  std::size_t length = 0;

  constexpr std::size_t runs() const { return sequences; }
  constexpr std::size_t longest() const { return length; }
  constexpr row_run run(std::size_t i) const { return {i * length, length, i, 0}; }
};

/// Keys and values where a training batch has them: in the rows themselves.
template <class T, class Heads = head_shape>
struct batch_keys {
  const T* qkv;  // [sequences * length][qkv_dim]
  Heads heads;
  std::size_t length;

  constexpr key_value_tile<T> tile(const row_run& run, std::size_t kv_head, std::size_t first, std::size_t /*count*/,
                                   std::size_t /*worker*/) const {
    const std::size_t stride = heads.qkv_dim();
    const T* keys = qkv + (run.first + first) * stride + heads.q_dim() + kv_head * heads.head_dim;
    return {row_major(keys, stride), row_major(keys + heads.kv_dim(), stride)};
  }
};

namespace attention_detail {

/// A tile of rows of one head. Elements of the dropout mask are numbered [sequence][head][query][key].
template <class T, class Rows, class Rules>
constexpr query_rows<T, Rules> queries_of(const ruled_heads<Rules>& s, const Rows& rows, const row_run& run,
                                          const T* qkv, std::size_t head, std::size_t first, std::size_t count) {
  const std::size_t longest = rows.longest();
  return {row_major(qkv + (run.first + first) * s.qkv_dim() + head * s.head_dim, s.qkv_dim()),
          count,
          run.position + first + 1,
          1,
          ((run.sequence * s.heads + head) * longest + first) * longest,
          longest,
          s.rules};
}

}  // namespace attention_detail

/// out[rows][q_dim] = attention of the queries in qkv[rows][qkv_dim], each to the keys of its own sequence as far as
/// its own position. `keys.tile(run, kv_head, first, count, worker)` yields keys and values of positions [first, first
/// + count). log_sum[runs][heads][longest], if given, is what the backward pass needs. A task is a tile of rows of one
/// head; where every run is a single row (decoding), it is the row's heads that share keys.
template <class Backend, executor E, class Rules, class Rows, class Keys, class T>
constexpr void attention_forward(Backend backend, E& exec, const ruled_heads<Rules>& s, const Rows& rows, const T* qkv,
                                 const Keys& keys, T* out, T* log_sum, const dropout_mask& dropout,
                                 attention_workspace<T>* workers) {
  const bool single = rows.longest() == 1 && log_sum == nullptr && !dropout.active();
  const std::size_t tiles = ceil_div(rows.longest(), query_tile), heads = single ? s.kv_heads : s.heads * tiles;
  auto one_task = [&](std::size_t task, std::size_t worker) {
    const row_run run = rows.run(task / heads);
    const std::size_t first = single ? 0 : task % tiles * query_tile;
    if (first >= run.count) return;
    const std::size_t head = single ? task % heads * s.group() : task % heads / tiles, kv = head / s.group();
    auto attend_to = [&](const query_rows<T, Rules>& queries, std::size_t stride) {
      const std::size_t at = (task / heads * s.heads + head) * rows.longest() + first;
      attend(
          backend, s.head_dim, s.template scale<T>(), queries,
          [&](std::size_t j, std::size_t count) { return keys.tile(run, kv, j, count, worker); },
          out + (run.first + first) * s.q_dim() + head * s.head_dim, stride,
          log_sum == nullptr ? nullptr : log_sum + at, dropout, workers[worker]);
    };
    if (single)
      attend_to({row_major(qkv + run.first * s.qkv_dim() + head * s.head_dim, s.head_dim), s.group(), run.position + 1,
                 0, 0, 0, s.rules},
                s.head_dim);
    else
      attend_to(attention_detail::queries_of(s, rows, run, qkv, head, first, smaller(query_tile, run.count - first)),
                s.q_dim());
  };
  std::size_t work = 0;
  for (std::size_t i = 0; i < rows.runs(); ++i) work += rows.run(i).count * (rows.run(i).position + rows.run(i).count);
  const std::size_t tasks = rows.runs() * heads;
  if (work * s.q_dim() < parallel_threshold)
    for (std::size_t task = 0; task < tasks; ++task) one_task(task, 0);
  else
    exec.run(tasks, one_task);
}

}}  // namespace ctlm
