// SPDX-License-Identifier: MIT
// ctlm: where keys and values lie in a KV cache. A layer without a window keeps those of all positions. One with a
// window keeps a ring: a position lies where an earlier one lay that no row will see any more.
#pragma once

#include "../spec/decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The rows of a KV cache: one for each head of keys of each position that a layer keeps. Shape is the type that holds
/// a decoder_shape as `value`; Chunk is how many positions a session takes at once at most, and no more than the
/// context.
template <class Shape, std::size_t Chunk>
struct cache_layout {
  static constexpr decoder_shape shape = Shape::value;  ///< the model's

  /// Positions that a layer with a window keeps: those of a chunk, and those before it that its first row sees.
  static constexpr std::size_t ring =
      shape.window == 0 ? shape.context : smaller(shape.context, smaller(shape.window, shape.context) - 1 + Chunk);

  /// Whether there are layers that forget positions. Where there are none, nothing below costs anything.
  static constexpr bool forgets = [] {
    for (std::size_t layer = 0; layer < shape.layers; ++layer)
      if (shape.has_window(layer) && ring < shape.context) return true;
    return false;
  }();
  /// Whether this layer does.
  static constexpr bool forgets_in(std::size_t layer) { return forgets && shape.has_window(layer); }
  /// Positions that a layer keeps.
  static constexpr std::size_t kept(std::size_t layer) { return forgets_in(layer) ? ring : shape.context; }

  /// The row of a head of keys at a position.
  static constexpr std::size_t row(std::size_t layer, std::size_t head, std::size_t position) {
    if constexpr (forgets) {
      if (forgets_in(layer)) return first_rows.of[layer] + head * ring + position % ring;
      return first_rows.of[layer] + head * shape.context + position;
    } else {
      return (layer * shape.kv_heads + head) * shape.context + position;
    }
  }
  /// How many positions lie one behind the other, from this one to the end of its layer's ring.
  static constexpr std::size_t until_wrap(std::size_t layer, std::size_t position) {
    return forgets_in(layer) ? ring - position % ring : shape.context - position;
  }

  /// The first position that is still in all layers when `taken` have been taken.
  static constexpr std::size_t first_kept(std::size_t taken) { return forgets && taken > ring ? taken - ring : 0; }
  /// The first position from which a row at `position` needs all to be there, in layers with a window.
  static constexpr std::size_t first_seen(std::size_t position) {
    return forgets && position >= shape.window ? position + 1 - shape.window : 0;
  }
  /// The first position, besides 0, whose row finds all that it sees, if positions before `kept` are forgotten.
  static constexpr std::size_t first_after(std::size_t kept) { return kept == 0 ? 0 : kept + shape.window - 1; }

 private:
  struct table {
    std::size_t of[shape.layers + 1] = {};
  };
  static constexpr table first_rows = [] {
    table t;
    for (std::size_t layer = 0; layer < shape.layers; ++layer)
      t.of[layer + 1] = t.of[layer] + shape.kv_heads * kept(layer);
    return t;
  }();

 public:
  /// All rows.
  static constexpr std::size_t rows = first_rows.of[shape.layers];
};

}}  // namespace ctlm
