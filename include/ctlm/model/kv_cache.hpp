// SPDX-License-Identifier: MIT
// ctlm: keys and values of the tokens so far, in any storage format: one row of head_dim numbers for each head of each
// position that a layer keeps (cache_layout.hpp).
#pragma once

#include "../format/bf16.hpp"
#include "../kernels/attention_rows.hpp"
#include "../policy/cache/key_value.hpp"
#include "cache_layout.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Keys and values of all layers of a session, [layers][kv_heads][positions][head_dim] each, stored as S says. The
/// positions are the whole context, or a ring of the last ones in layers with a window. Shape is the type that holds a
/// decoder_shape as `value`, and Chunk is how many positions are stored at once at most.
template <class Shape, row_storage S, std::size_t Chunk = Shape::value.context>
class key_value_cache {
  using K = typename row_formats<S>::keys;
  using V = typename row_formats<S>::values;

 public:
  static constexpr decoder_shape shape = Shape::value;  ///< the model's
  using layout = cache_layout<Shape, Chunk>;            ///< where rows lie
  using real = typename S::compute;                     ///< the numbers that keys and values are decoded to
  static constexpr std::size_t cut = 0;                 ///< chunks may end anywhere (recent_cache.hpp)
  static constexpr bool exact = rows_in_place<S>;       ///< whether rows are stored in the numbers they are computed in
  static constexpr bool bfloat_keys = std::same_as<K, bf16>;    ///< whether keys are numbers that bf16 holds
  static constexpr bool bfloat_values = std::same_as<V, bf16>;  ///< the same of values

  constexpr key_value_cache() = default;
  /// Asks an arena for room for all of them.
  template <class A>
  constexpr explicit key_value_cache(A& a)
      : keys_(K::place(a, layout::rows, shape.head_dim)), values_(V::place(a, layout::rows, shape.head_dim)) {}

  /// Stores one token's keys and values: [kv_heads][head_dim] each. In a ring they take the place of an earlier one's.
  constexpr void store(std::size_t layer, std::size_t position, const real* keys, const real* values) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      K::encode(keys_, layout::row(layer, h, position), keys + h * shape.head_dim);
      V::encode(values_, layout::row(layer, h, position), values + h * shape.head_dim);
    }
  }

  /// Keys and values of positions [first, first + count) of one head, in scratch (2 * key_tile * head_dim numbers)
  /// where the format has to be decoded, or where a ring's end is between them.
  template <class Backend>
  constexpr key_value_tile<real> tile(Backend backend, std::size_t layer, std::size_t head, std::size_t first,
                                      std::size_t count, real* scratch) const {
    const std::size_t start = layout::row(layer, head, first);
    if constexpr (tile_scratch == 0) {
      return in_place(start);
    } else {
      if constexpr (rows_in_place<S>)
        if (count <= layout::until_wrap(layer, first)) return in_place(start);
      real* const values = scratch + key_tile * shape.head_dim;
      read(backend, layer, head, first, count, scratch, values);
      return {row_major<real>(scratch, shape.head_dim), row_major<real>(values, shape.head_dim)};
    }
  }

  /// Whether a backend multiplies with keys and values as they are stored.
  template <class Backend>
  static constexpr bool stored =
      multiplies_stored<Backend, K, shape.head_dim>&& multiplies_stored<Backend, V, shape.head_dim>;

  /// Keys and values of positions [first, first + count) of one head, as they are stored.
  constexpr ctlm::stored_tile<K, V> stored_tile(std::size_t layer, std::size_t head, std::size_t first,
                                                std::size_t count) const {
    const std::size_t row = layout::row(layer, head, first);
    const std::size_t before = layout::forgets ? smaller(count, layout::until_wrap(layer, first)) : count;
    const std::size_t skipped = before < count ? layout::row(layer, head, first + before) - row - before : 0;
    return {{keys_, row, before, skipped}, {values_, row, before, skipped}};
  }

  /// Decodes keys and values of positions [first, first + count) of one head to [count][head_dim] each.
  template <class Backend>
  constexpr void read(Backend backend, std::size_t layer, std::size_t head, std::size_t first, std::size_t count,
                      real* keys, real* values) const {
    const std::size_t before = layout::forgets ? smaller(count, layout::until_wrap(layer, first)) : count;
    decode(backend, layout::row(layer, head, first), before, keys, values);
    if (before < count)
      decode(backend, layout::row(layer, head, first + before), count - before, keys + before * shape.head_dim,
             values + before * shape.head_dim);
  }

  /// f(pointer, bytes) for the stretches of memory that hold one layer's keys and values.
  template <class Visit>
  constexpr void for_each_part(std::size_t layer, Visit&& f) const {
    auto keys = keys_.slice(layout::row(layer, 0, 0), shape.kv_heads * layout::kept(layer));
    auto values = values_.slice(layout::row(layer, 0, 0), shape.kv_heads * layout::kept(layer));
    K::for_each_part(keys, f);
    V::for_each_part(values, f);
  }

  /// Numbers of scratch that tile() needs.
  static constexpr std::size_t tile_scratch = rows_in_place<S> && !layout::forgets ? 0 : 2 * key_tile * shape.head_dim;

 private:
  constexpr key_value_tile<real> in_place(std::size_t row) const {
    return {row_major<real>(keys_.data + row * shape.head_dim, shape.head_dim),
            row_major<real>(values_.data + row * shape.head_dim, shape.head_dim)};
  }
  /// Decodes, or copies, `count` rows that lie one behind the other.
  template <class Backend>
  constexpr void decode(Backend backend, std::size_t row, std::size_t count, real* keys, real* values) const {
    if constexpr (rows_in_place<S>) {
      const key_value_tile<real> from = in_place(row);
      elementwise(
          backend, count * shape.head_dim,
          [](auto& key, auto& value, const auto& k, const auto& v) {
            key = k;
            value = v;
          },
          keys, values, from.keys.data, from.values.data);
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        decode_row(backend, K{}, keys_, row + i, keys + i * shape.head_dim);
        decode_row(backend, V{}, values_, row + i, values + i * shape.head_dim);
      }
    }
  }

  matrix<K> keys_{};
  matrix<V> values_{};
};

/// The keys and values of one layer, as the rows of a session, at most Chunk at once, find and leave them.
template <class Cache, class Backend, std::size_t Chunk = 1>
struct cached_keys {
  using real = typename Cache::real;  ///< the numbers that keys and values are decoded to
  Cache* cache;                       ///< where they are stored
  std::size_t layer;                  ///< whose
  real* scratch;                      ///< [workers][scratch_numbers] where they are decoded
  real* parts = nullptr;              ///< [part_numbers] what the parts of a sequence come to

  /// Whether single rows are multiplied with keys and values as they are stored.
  static constexpr bool stored = [] {
    if constexpr (requires { Cache::template stored<Backend>; })
      return Cache::template stored<Backend>;
    else
      return false;
  }();
  /// Parts that the context is cut into for single rows.
  static constexpr std::size_t most_parts = ceil_div(Cache::shape.context, sequence_part);
  static constexpr std::size_t part_numbers =  ///< numbers that they come to
      most_parts == 1
          ? 0
          : most_parts * Cache::shape.kv_heads *
                sequence_part_result<real>::size(Cache::shape.heads / Cache::shape.kv_heads, Cache::shape.head_dim);

  /// Whether rows of a chunk attend in blocks.
  static constexpr bool in_blocks = attends_in_blocks<Backend> && std::same_as<real, float> && !Cache::exact &&
                                    Chunk > 1 && Cache::shape.head_dim % 16 == 0;
  static constexpr std::size_t key_parts = Cache::bfloat_keys ? 1 : 2;      ///< parts of 8 bits that these take keys in
  static constexpr std::size_t value_parts = Cache::bfloat_values ? 1 : 2;  ///< the same of values
  static constexpr std::size_t scratch_numbers =  ///< of scratch of a worker: a decoded tile, and a block
      Cache::tile_scratch +
      (in_blocks ? attention_block::scratch(Cache::shape.heads / Cache::shape.kv_heads, Cache::shape.head_dim, Chunk)
                 : 0);
  /// Where a worker has room for a block.
  constexpr real* block_scratch(std::size_t worker) const {
    return scratch + worker * scratch_numbers + Cache::tile_scratch;
  }

  /// Stores the keys and values of the rows in qkv [rows][qkv_dim] at the rows' positions.
  constexpr void store(const session_rows& rows, const head_shape& heads, const real* qkv) const {
    for (std::size_t r = 0; r < rows.rows; ++r) {
      const real* const keys = qkv + r * heads.qkv_dim() + heads.q_dim();
      cache->store(layer, rows.position + r, keys, keys + heads.kv_dim());
    }
  }
  /// Keys and values of positions [first, first + count) of one head, `count` being at most key_tile.
  constexpr key_value_tile<real> tile(const row_run&, std::size_t kv_head, std::size_t first, std::size_t count,
                                      std::size_t worker) const {
    return cache->tile(Backend{}, layer, kv_head, first, count, scratch + worker * scratch_numbers);
  }
  /// The same as they are stored.
  constexpr auto stored_tile(std::size_t kv_head, std::size_t first, std::size_t count) const {
    return cache->stored_tile(layer, kv_head, first, count);
  }
};

}}  // namespace ctlm
