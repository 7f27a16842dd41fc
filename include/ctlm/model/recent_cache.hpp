// SPDX-License-Identifier: MIT
// ctlm: keys and values in few bits, and those of the newest positions and of the first ones in a better format too.
#pragma once

#include "../policy/cache/cache.hpp"
#include "kv_cache.hpp"

namespace ctlm { inline namespace CTLM_ABI {

namespace recent_detail {

/// The shape of what is kept in the better format: `Positions` places in every layer, whatever its window.
template <class Shape, std::size_t Positions>
struct places_of {
  static constexpr decoder_shape make() {
    decoder_shape s = Shape::value;
    s.context = Positions;
    s.window = 0;
    return s;
  }
  static constexpr decoder_shape value = make();
};

}  // namespace recent_detail

/// What key_value_cache is, for kv_cache<recent<F, N, G>>. Which positions are read in which format follows from the
/// block of the row that reads, and not from how tokens were cut into chunks. Where a session has gone back, positions
/// whose place in G was taken meanwhile are read in F.
template <class Shape, class Policy, std::size_t Chunk>
class recent_cache {
  using F = typename Policy::old_format;
  using G = typename Policy::new_format;
  static constexpr std::size_t block = Policy::block, head = Policy::first_kept, ring = 2 * block;
  using places = recent_detail::places_of<Shape, head + ring>;
  using old_cache = key_value_cache<Shape, F, Chunk>;
  using new_cache = key_value_cache<places, G>;

 public:
  static constexpr decoder_shape shape = Shape::value;  ///< the model's
  using layout = typename old_cache::layout;            ///< where rows of format F lie
  using real = typename F::compute;                     ///< the numbers that keys and values are decoded to
  static constexpr std::size_t cut = block;             ///< no chunk reaches over a multiple of it
  static constexpr bool exact = new_cache::exact;       ///< what is recent may be in the numbers that are computed in
  static constexpr bool bfloat_keys = old_cache::bfloat_keys && new_cache::bfloat_keys;        ///< see key_value_cache
  static constexpr bool bfloat_values = old_cache::bfloat_values && new_cache::bfloat_values;  ///< the same

  constexpr recent_cache() = default;
  /// Asks an arena for room for all of them.
  template <class A>
  constexpr explicit recent_cache(A& a) : old_(a), new_(a) {}

  /// Stores one token's keys and values: [kv_heads][head_dim] each.
  constexpr void store(std::size_t layer, std::size_t position, const real* keys, const real* values) {
    old_.store(layer, position, keys, values);
    new_.store(layer, place(position), keys, values);
    if (position < head) new_.store(layer, position, keys, values);
    newest_ = position;
    valid_ = smaller(valid_, position);
    valid_ = larger(valid_, position < ring ? 0 : position + 1 - ring);
  }

  /// Keys and values of positions [first, first + count) of one head, in scratch, as the row that was stored last reads
  /// them.
  template <class Backend>
  constexpr key_value_tile<real> tile(Backend backend, std::size_t layer, std::size_t kv_head, std::size_t first,
                                      std::size_t count, real* scratch) const {
    const std::size_t end = first + count, before = newest_ / block * block;
    const std::size_t recent = larger(valid_, before < block ? 0 : before - block);
    const std::size_t a = smaller(end, larger(first, head)), b = smaller(end, larger(a, recent));
    real* const values = scratch + key_tile * shape.head_dim;
    auto row = [&](real* x, std::size_t position) { return x + (position - first) * shape.head_dim; };
    new_.read(backend, layer, kv_head, first, a - first, scratch, values);
    old_.read(backend, layer, kv_head, a, b - a, row(scratch, a), row(values, a));
    for (std::size_t p = b; p < end;) {
      const std::size_t n = smaller(end - p, ring - p % ring);
      new_.read(backend, layer, kv_head, place(p), n, row(scratch, p), row(values, p));
      p += n;
    }
    return {row_major<real>(scratch, shape.head_dim), row_major<real>(values, shape.head_dim)};
  }

  /// f(pointer, bytes) for the stretches of memory that hold one layer's keys and values.
  template <class Visit>
  constexpr void for_each_part(std::size_t layer, Visit&& f) const {
    old_.for_each_part(layer, f);
    new_.for_each_part(layer, f);
  }

  /// Numbers of scratch that tile() needs.
  static constexpr std::size_t tile_scratch = 2 * key_tile * shape.head_dim;

 private:
  static constexpr std::size_t place(std::size_t position) { return head + position % ring; }

  old_cache old_{};
  new_cache new_{};
  std::size_t newest_ = 0;  // the position stored last
  std::size_t valid_ = 0;   // from here on, and at the begin, new_ holds what was stored last
};

/// The cache of kv_cache<P>: of storage S = cache_parts<P>::storage.
template <class Shape, class S, std::size_t Chunk>
struct cache_for {
  using type = key_value_cache<Shape, S, Chunk>;
};
template <class Shape, row_storage F, std::size_t N, row_storage G, std::size_t Chunk>
struct cache_for<Shape, recent<F, N, G>, Chunk> {
  using type = recent_cache<Shape, recent<F, N, G>, Chunk>;
};

}}  // namespace ctlm
