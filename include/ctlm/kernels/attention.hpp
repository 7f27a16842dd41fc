// SPDX-License-Identifier: MIT
// ctlm: causal attention with an online softmax (Dao et al. 2022, "FlashAttention"): a tile of keys at a time, so that
// no matrix of all queries and keys exists and memory does not grow with the context.
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

  template <class Backend, class A>
  static constexpr attention_workspace place(A& a, Backend backend, std::size_t max_rows, std::size_t head_dim,
                                             bool backward) {
    attention_workspace ws;
    ws.scores = a.template allocate<T>(max_rows * key_tile);
    if (backward) ws.gradients = a.template allocate<T>(max_rows * key_tile);
    ws.peak = a.template allocate<T>(max_rows);
    ws.total = a.template allocate<T>(max_rows);
    const std::size_t tile = larger(max_rows, key_tile), widest = larger(head_dim, tile);
    ws.panel = a.template allocate<T>(gemm_workspace<T>(backend, tile, widest, widest));
    return ws;
  }
};

/// What a model does with scores besides scaling them. Those that do nothing cost nothing: `capped` and `windowed` are
/// known to the compiler.
template <bool Capped, bool Windowed>
struct score_rules {
  static constexpr bool capped = Capped, windowed = Windowed;
  float cap = 0;           ///< scores s become cap * tanh(s / cap)
  std::size_t window = 0;  ///< positions that a row sees at most, its own among them
};
template <>
struct score_rules<false, false> {
  static constexpr bool capped = false, windowed = false;
};
using plain_scores = score_rules<false, false>;

/// Rows of queries of one head. Row r sees the first `visible + r * growth` keys, or the last ones of them that lie in
/// the window.
template <class T, class Rules = plain_scores>
struct query_rows {
  strided<T> q;
  std::size_t rows = 0;
  std::size_t visible = 0;
  std::size_t growth = 1;
  std::size_t dropout_base = 0;    // element number of row 0, key 0 in the dropout mask
  std::size_t dropout_stride = 0;  // from one row to the next
  [[no_unique_address]] Rules rules{};

  /// The first key that row r sees.
  constexpr std::size_t from(std::size_t r) const {
    if constexpr (Rules::windowed) return sees(r) > rules.window ? sees(r) - rules.window : 0;
    return 0;
  }
  constexpr std::size_t sees(std::size_t r) const { return visible + r * growth; }
  constexpr std::size_t most() const { return sees(rows - 1); }
  /// Row r alone.
  constexpr query_rows only(std::size_t r) const {
    return {{q.data + r * q.row, q.row, q.col},
            1,
            sees(r),
            growth,
            dropout_base + r * dropout_stride,
            dropout_stride,
            rules};
  }
};

/// Keys and values of some positions of one head, a row each.
template <class T>
struct key_value_tile {
  strided<T> keys;
  strided<T> values;
};

/// The same of rows that the backend multiplies with as they are stored.
template <class K, class V>
struct stored_tile {
  stored_rows<K> keys;
  stored_rows<V> values;
};
/// Whether a backend has absorb_stored_keys() for such tiles.
template <class Backend, class Tile>
inline constexpr bool absorbs_stored = false;
static_assert(key_tile <= 64, "a tile has as many rows as kernels for stored rows take at most");

/// scores[m][count] = queries times keys.
template <class Backend, class T>
CTLM_INLINE constexpr void score_keys(Backend backend, std::size_t m, std::size_t count, std::size_t head_dim,
                                      const strided<T>& q, const strided<T>& keys, T* scores, T* panel) {
  gemm(backend, m, count, head_dim, q, keys.transposed(), scores, count, false, panel);
}
template <class Backend, class T, class F>
CTLM_INLINE constexpr void score_keys(Backend backend, std::size_t m, std::size_t count, std::size_t head_dim,
                                      const strided<T>& q, const stored_rows<F>& keys, T* scores, T*) {
  stored_products(backend, m, count, head_dim, q.data, q.row, keys, scores, count);
}
/// out[m][head_dim] += weights[m][count] times values.
template <class Backend, class T>
CTLM_INLINE constexpr void add_values(Backend backend, std::size_t m, std::size_t head_dim, std::size_t count,
                                      const T* weights, const strided<T>& values, T* out, std::size_t out_stride,
                                      T* panel) {
  gemm(backend, m, head_dim, count, row_major<T>(weights, count), values, out, out_stride, true, panel);
}
template <class Backend, class T, class F>
CTLM_INLINE constexpr void add_values(Backend backend, std::size_t m, std::size_t head_dim, std::size_t count,
                                      const T* weights, const stored_rows<F>& values, T* out, std::size_t out_stride,
                                      T*) {
  add_stored_products(backend, m, head_dim, count, weights, count, values, out, out_stride);
}

/// Keys [hidden, hidden + seen) of a tile are those that a row sees.
struct visible_keys {
  std::size_t hidden = 0;
  std::size_t seen = 0;
};

/// Keys that row r sees within [first, first + count).
template <class T, class Rules>
constexpr visible_keys visible_in_tile(const query_rows<T, Rules>& queries, std::size_t r, std::size_t first,
                                       std::size_t count) {
  const std::size_t end = queries.sees(r), begin = queries.from(r);
  const std::size_t before = end <= first ? 0 : smaller(end - first, count);
  const std::size_t hidden = begin <= first ? 0 : smaller(begin - first, before);
  return {hidden, before - hidden};
}

/// Scores become what the rules make of them, divided by `scale`, which the softmax multiplies with.
template <class Backend, class T, class Rules>
constexpr void apply_rules(Backend backend, const Rules& rules, std::size_t n, T scale, T* scores) {
  if constexpr (Rules::capped) {
    if (rules.cap == 0) return;
    const T inward = scale / static_cast<T>(rules.cap), outward = static_cast<T>(rules.cap) / scale;
    elementwise(
        backend, n,
        [=](auto& s) {
          using math::tanh;
          s = tanh(s * inward) * outward;
        },
        scores);
  }
}

template <class T>
constexpr void clear(std::size_t n, T* x) {
  for (std::size_t i = 0; i < n; ++i) x[i] = T(0);
}

/// Takes in one row of a tile of scores, which become exponentials e^((score - peak) * scale), `peak` being the highest
/// so far. If this tile raised the peak, the sum of exponentials and the output so far are first made smaller to match.
/// What the row does not see becomes 0.
template <class Backend, class T>
constexpr void absorb_row(Backend backend, const visible_keys& keys, std::size_t count, std::size_t head_dim, T scale,
                          T* row, T& peak, T& total, T* out) {
  const std::size_t seen = keys.seen;
  T* const scores = row + keys.hidden;
  if (seen > 0) {
    const T highest = math::max(peak, maximum(backend, seen, static_cast<const T*>(scores)));
    const T shrink = math::exp((peak - highest) * scale);
    total = total * shrink + sum(
                                 backend, seen,
                                 [=](auto& s) {
                                   using math::exp;
                                   s = exp((s - highest) * scale);  // 1 where s is the highest, however large it is
                                   return s;
                                 },
                                 scores);
    if (shrink != T(1))
      elementwise(
          backend, head_dim, [=](auto& o) { o *= shrink; }, out);
    peak = highest;
  }
  clear(keys.hidden, row);
  clear(count - keys.hidden - seen, scores + seen);
}

/// Divides a finished row of output by its sum of exponentials. False if the row holds a NaN or an infinity that may
/// have come from a key or value that this row does not see.
template <class Backend, class T, class Rules>
constexpr bool finish_row(Backend backend, const query_rows<T, Rules>& queries, std::size_t head_dim, T total, T* out) {
  const T inverse = T(1) / total;
  if (queries.growth == 0 || queries.rows == 1) {  // all rows see all keys
    elementwise(
        backend, head_dim, [=](auto& o) { o *= inverse; }, out);
    return true;
  }
  const T difference = sum(
      backend, head_dim,
      [=](auto& o) {
        o *= inverse;
        return o - o;
      },
      out);
  return difference == T(0);
}

/// The rows' exponentials times values, and the sums of those exponentials (ws.peak, ws.total), over the keys
/// [begin, end).
template <class Backend, class T, class Rules, class Tiles>
CTLM_INLINE constexpr void absorb_keys(Backend backend, std::size_t head_dim, T scale,
                                       const query_rows<T, Rules>& queries, std::size_t begin, std::size_t end,
                                       const Tiles& tiles, T* out, std::size_t out_stride, const dropout_mask& dropout,
                                       attention_workspace<T>& ws) {
  if constexpr (absorbs_stored<Backend, std::remove_cvref_t<decltype(tiles(begin, end))>>)
    if (queries.growth == 0 && !dropout.active() &&
        absorb_stored_keys(backend, head_dim, scale, queries, begin, end, tiles, out, out_stride, ws))
      return;
  for (std::size_t r = 0; r < queries.rows; ++r) {
    ws.peak[r] = -std::numeric_limits<T>::infinity();
    ws.total[r] = T(0);
    clear(head_dim, out + r * out_stride);
  }
  for (std::size_t first = begin; first < end; first += key_tile) {
    const std::size_t count = smaller(key_tile, end - first);
    const auto [keys, values] = tiles(first, count);
    score_keys(backend, queries.rows, count, head_dim, queries.q, keys, ws.scores, ws.panel);
    for (std::size_t r = 0; r < queries.rows; ++r) {
      const visible_keys seen = visible_in_tile(queries, r, first, count);
      T* row = ws.scores + r * count;
      apply_rules(backend, queries.rules, seen.seen, scale, row + seen.hidden);
      absorb_row(backend, seen, count, head_dim, scale, row, ws.peak[r], ws.total[r], out + r * out_stride);
      if (dropout.active())
        apply_dropout(dropout, seen.seen, row + seen.hidden,
                      queries.dropout_base + r * queries.dropout_stride + first + seen.hidden);
    }
    add_values(backend, queries.rows, head_dim, count, ws.scores, values, out, out_stride, ws.panel);
  }
}

/// What attend() does, but a NaN in a tile reaches all rows of the tile. Returns false if finish_row() was false for a
/// row; ws.total of such rows is 0.
template <class Backend, class T, class Rules, class Tiles>
CTLM_NOINLINE constexpr bool attend_once(Backend backend, std::size_t head_dim, T scale,
                                         const query_rows<T, Rules>& queries, const Tiles& tiles, T* out,
                                         std::size_t out_stride, T* log_sum, const dropout_mask& dropout,
                                         attention_workspace<T>& ws) {
  absorb_keys(backend, head_dim, scale, queries, queries.from(0), queries.most(), tiles, out, out_stride, dropout, ws);
  bool all_finite = true;
  for (std::size_t r = 0; r < queries.rows; ++r) {
    const bool finite = finish_row(backend, queries, head_dim, ws.total[r], out + r * out_stride);
    if (log_sum != nullptr) log_sum[r] = ws.peak[r] * scale + math::log(ws.total[r]);
    if (finite) continue;
    ws.total[r] = T(0);  // marks the row: a sum of exponentials is never zero
    all_finite = false;
  }
  return all_finite;
}

/// out[r] = softmax(q[r] . k * scale) v. `tiles(first, count)` yields {keys, values} as strided matrices of count rows.
/// `log_sum`, if given, receives log(sum of exponentials) of each row, which is all that the backward pass needs.
/// A row with a NaN among the keys and values it sees becomes NaN. Rows of the same tile that do not see it became NaN
/// too, since zero times NaN is NaN: those are computed again, each on its own.
template <class Backend, class T, class Rules, class Tiles>
constexpr void attend(Backend backend, std::size_t head_dim, T scale, const query_rows<T, Rules>& queries,
                      const Tiles& tiles, T* out, std::size_t out_stride, T* log_sum, const dropout_mask& dropout,
                      attention_workspace<T>& ws) {
  if (attend_once(backend, head_dim, scale, queries, tiles, out, out_stride, log_sum, dropout, ws)) return;
  for (std::size_t r = 0; r < queries.rows; ++r)
    if (ws.total[r] == T(0))
      attend_once(backend, head_dim, scale, queries.only(r), tiles, out + r * out_stride, out_stride,
                  log_sum == nullptr ? nullptr : log_sum + r, dropout, ws);
}

}}  // namespace ctlm
