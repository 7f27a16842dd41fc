// SPDX-License-Identifier: MIT
// ctlm: attention of many rows, of one sequence or of several: who computes what.
#pragma once

#include "attention_blocks.hpp"

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

/// Positions that one task attends to at most where every run is a single row: so there is work for many threads
/// however few heads of keys there are. What rows sum up is cut here, and nowhere else, whatever the number of threads.
inline constexpr std::size_t sequence_part = 512;

/// Whether Keys have more to offer for single rows than decoded tiles: `stored`, tiles as they are stored, and `parts`,
/// memory for what the parts of a sequence come to, if the context has more than one.
template <class Keys>
inline constexpr bool attends_in_parts = requires {
  requires Keys::stored ||(Keys::most_parts > 1);
};

/// What the heads that share keys found in one part of a sequence.
template <class T>
struct sequence_part_result {
  T* out;    // [group][head_dim] exponentials times values
  T* peak;   // [group] the highest score
  T* total;  // [group] sum of exponentials

  static constexpr std::size_t size(std::size_t group, std::size_t head_dim) { return group * (head_dim + 2); }
  constexpr sequence_part_result(T* memory, std::size_t group, std::size_t head_dim)
      : out(memory), peak(out + group * head_dim), total(peak + group) {}
};

/// Puts the parts of a sequence together, in their order: what lies at `memory`, a result for each part.
template <class Backend, class T>
constexpr void join_parts(Backend backend, std::size_t parts, std::size_t group, std::size_t head_dim, T scale,
                          T* memory, T* out) {
  using result = sequence_part_result<T>;
  const std::size_t stride = result::size(group, head_dim);
  for (std::size_t h = 0; h < group; ++h) {
    T peak = result(memory, group, head_dim).peak[h], total = T(0);
    for (std::size_t i = 1; i < parts; ++i)
      peak = math::max(peak, result(memory + i * stride, group, head_dim).peak[h]);
    T* const row = out + h * head_dim;
    clear(head_dim, row);
    for (std::size_t i = 0; i < parts; ++i) {
      const result part(memory + i * stride, group, head_dim);
      const T factor = math::exp((part.peak[h] - peak) * scale);
      total += part.total[h] * factor;
      elementwise(
          backend, head_dim, [=](auto& sum, const auto& x) { sum += x * factor; }, row,
          static_cast<const T*>(part.out + h * head_dim));
    }
    const T inverse = T(1) / total;
    elementwise(
        backend, head_dim, [=](auto& x) { x *= inverse; }, row);
  }
}

/// attention_forward() where every run is a single row, and Keys have more to offer for those.
template <class Backend, executor E, class Rules, class Rows, class Keys, class T>
constexpr void attend_in_parts(Backend backend, E& exec, const ruled_heads<Rules>& s, const Rows& rows, const T* qkv,
                               const Keys& keys, T* out, attention_workspace<T>* workers) {
  using result = sequence_part_result<T>;
  const std::size_t group = s.group(), heads = s.kv_heads;
  struct one_run {
    query_rows<T, Rules> queries;
    std::size_t first_part, parts;
  };
  auto run_of = [&](std::size_t run, std::size_t kv) {
    const row_run r = rows.run(run);
    const T* const q = qkv + r.first * s.qkv_dim() + kv * group * s.head_dim;
    one_run a{{row_major(q, s.head_dim), group, r.position + 1, 0, 0, 0, s.rules}, 0, 0};
    a.first_part = a.queries.from(0) / sequence_part;
    a.parts = ceil_div(a.queries.most(), sequence_part) - a.first_part;
    return a;
  };
  auto memory_of = [&](std::size_t run, std::size_t kv) {
    return keys.parts + (run * heads + kv) * Keys::most_parts * result::size(group, s.head_dim);
  };
  auto place_of = [&](std::size_t run, std::size_t kv) {
    return out + rows.run(run).first * s.q_dim() + kv * group * s.head_dim;
  };
  std::size_t parts = 0, work = 0;
  for (std::size_t i = 0; i < rows.runs(); ++i) {
    parts = larger(parts, run_of(i, 0).parts);
    work += rows.run(i).position + 1;
  }
  const std::size_t tasks = rows.runs() * heads * parts;
  auto one_task = [&](std::size_t task, std::size_t worker) {
    const std::size_t run = task / parts / heads, kv = task / parts % heads, part = task % parts;
    const one_run a = run_of(run, kv);
    if (part >= a.parts) return;
    auto tiles = [&](std::size_t j, std::size_t count) {
      if constexpr (Keys::stored)
        return keys.stored_tile(kv, j, count);
      else
        return keys.tile(rows.run(run), kv, j, count, worker);
    };
    if (a.parts == 1)
      return attend(backend, s.head_dim, s.template scale<T>(), a.queries, tiles, place_of(run, kv), s.head_dim,
                    static_cast<T*>(nullptr), dropout_mask{}, workers[worker]);
    if constexpr (Keys::most_parts > 1) {
      const std::size_t begin = (a.first_part + part) * sequence_part;
      const result to(memory_of(run, kv) + part * result::size(group, s.head_dim), group, s.head_dim);
      attention_workspace<T> ws = workers[worker];
      ws.peak = to.peak;
      ws.total = to.total;
      absorb_keys(backend, s.head_dim, s.template scale<T>(), a.queries, larger(begin, a.queries.from(0)),
                  smaller(begin + sequence_part, a.queries.most()), tiles, to.out, s.head_dim, dropout_mask{}, ws);
    }
  };
  if (work * s.q_dim() < parallel_threshold)
    for (std::size_t task = 0; task < tasks; ++task) one_task(task, 0);
  else
    exec.run(tasks, one_task);
  if constexpr (Keys::most_parts > 1)
    for (std::size_t i = 0; i < rows.runs() * heads; ++i)
      if (const one_run a = run_of(i / heads, i % heads); a.parts > 1)
        join_parts(backend, a.parts, group, s.head_dim, s.template scale<T>(), memory_of(i / heads, i % heads),
                   place_of(i / heads, i % heads));
}

/// Whether Keys lets chunks attend in blocks: `in_blocks`, and then `key_parts`, `value_parts` and
/// `block_scratch(worker)` as attend_block() takes them.
template <class Keys>
inline constexpr bool lets_blocks_attend = requires {
  requires Keys::in_blocks;
};

/// attention_forward() of chunks, in blocks. A task is a block. False, and nothing done, if the chunk is too small for
/// it, or this process may not use tiles.
template <class Backend, executor E, class Rules, class Rows, class Keys, class T>
bool attend_in_blocks(Backend backend, E& exec, const ruled_heads<Rules>& s, const Rows& rows, const T* qkv,
                      const Keys& keys, T* out, attention_workspace<T>* workers) {
  const std::size_t group = s.group(), tokens = attention_block::tokens(group);
  const std::size_t blocks = ceil_div(rows.longest(), tokens);
  if (rows.longest() * group < attention_block::fewest_rows || !has_blocks(backend)) return false;
  exec.run(rows.runs() * s.kv_heads * blocks, [&](std::size_t task, std::size_t worker) {
    const row_run run = rows.run(task / blocks / s.kv_heads);
    const std::size_t kv = task / blocks % s.kv_heads, first = task % blocks * tokens;
    if (first >= run.count) return;
    const std::size_t head = kv * group;
    attend_block(
        block_parts<Keys::key_parts, Keys::value_parts>{}, backend, s.head_dim, s.template scale<T>(),
        attention_detail::queries_of(s, rows, run, qkv, head, first, smaller(tokens, run.count - first)), group,
        [&](std::size_t j, std::size_t count) { return keys.tile(run, kv, j, count, worker); },
        out + (run.first + first) * s.q_dim() + head * s.head_dim, s.q_dim(), keys.block_scratch(worker),
        workers[worker]);
  });
  return true;
}

/// out[rows][q_dim] = attention of the queries in qkv[rows][qkv_dim], each to the keys of its own sequence as far as
/// its own position. `keys.tile(run, kv_head, first, count, worker)` yields keys and values of positions [first, first
/// + count). log_sum[runs][heads][longest], if given, is what the backward pass needs. A task is a tile of rows of one
/// head; where every run is a single row (decoding), it is the row's heads that share keys.
template <class Backend, executor E, class Rules, class Rows, class Keys, class T>
constexpr void attention_forward(Backend backend, E& exec, const ruled_heads<Rules>& s, const Rows& rows, const T* qkv,
                                 const Keys& keys, T* out, T* log_sum, const dropout_mask& dropout,
                                 attention_workspace<T>* workers) {
  const bool single = rows.longest() == 1 && log_sum == nullptr && !dropout.active();
  if constexpr (attends_in_parts<Keys>)
    if (single) return attend_in_parts(backend, exec, s, rows, qkv, keys, out, workers);
  if constexpr (lets_blocks_attend<Keys>)
    if (!single && log_sum == nullptr && !dropout.active() &&
        attend_in_blocks(backend, exec, s, rows, qkv, keys, out, workers))
      return;
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
