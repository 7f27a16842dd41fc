// SPDX-License-Identifier: MIT
// ctlm: an adapter (LoRA) of a model by itself: the thin matrices of all its layers, of a rank known at run time.
// Several may exist beside one base, whose weights they do not change.
#pragma once

#include "adapter_layout.hpp"
#include "weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What decides the size of an adapter, and how it is computed.
struct adapter_shape {
  std::size_t rank = 0;                    ///< rows of each part of A
  double alpha = 0;                        ///< what is added is multiplied by alpha / rank
  bool rank_stabilised = false;            ///< or by alpha / sqrt(rank) (rsLoRA)
  bool decomposed = false;                 ///< the lengths of the rows are numbers of their own (DoRA)
  adapter_parts parts[adaptable_count]{};  ///< of each of adaptable_tensors; a count of 0: it has no adapter

  /// What B A is multiplied by.
  constexpr double scale() const {
    const auto r = static_cast<double>(rank);
    return alpha / (rank_stabilised ? math::sqrt(r) : r);
  }
};

/// Where the numbers of an adapter of one matrix of one layer are, to be written.
template <class T>
struct adapter_place {
  T* a = nullptr;                        ///< [parts][rank][inputs]; nullptr: this layer has none
  T* b = nullptr;                        ///< [rows of all parts][rank]
  T* magnitudes = nullptr;               ///< [rows of all parts]; DoRA's alone
  const adapter_parts* parts = nullptr;  ///< which rows of the matrix
};

/// The adapter of a model of one shape. Its memory lies in an arena of bytes_needed(shape); zeros, until load_adapter
/// or copy_adapter fills it.
template <class Shape, class T>
class basic_adapter {
 public:
  using real = T;                                       ///< numbers of arithmetic
  static constexpr decoder_shape shape = Shape::value;  ///< the model's sizes

  constexpr basic_adapter() = default;
  /// Raises errc::out_of_memory, in words, if the arena has no room.
  template <arena A>
  constexpr basic_adapter(const adapter_shape& s, A& a) : layout_(s) {
    place(a);
    for (std::size_t i = 0; i < adaptable_count; ++i)
      check(layout_.parts[i].count == 0 || (numbers_[i].a != nullptr && numbers_[i].b != nullptr),
            failure{errc::out_of_memory, "ctlm: the arena is too small for an adapter, which needs {needed} bytes", 0,
                    bytes_needed(s)});
  }

  /// Bytes of an adapter.
  static constexpr std::size_t bytes_needed(const adapter_shape& s) {
    return measure([&](auto& a) {
      basic_adapter one;
      one.layout_ = s;
      one.place(a);
    });
  }
  /// What it was made as.
  constexpr const adapter_shape& layout() const { return layout_; }
  /// Whether it adds to this tensor.
  constexpr bool adapts(tensor_id id) const {
    const std::size_t i = adaptable_index(id);
    return i < adaptable_count && layout_.parts[i].count > 0;
  }

  /// Where the numbers of one matrix are.
  constexpr adapter_place<T> place_of(tensor_id id, std::size_t layer) const {
    if (!adapts(id)) return {};
    const std::size_t i = adaptable_index(id);
    const adapter_parts& p = layout_.parts[i];
    const numbers_of& n = numbers_[i];
    return {n.a + layer * p.count * layout_.rank * rule_of(id).cols(shape), n.b + layer * p.all_rows() * layout_.rank,
            n.magnitudes == nullptr ? nullptr : n.magnitudes + layer * p.all_rows(), &p};
  }
  /// The same as products take it.
  constexpr low_rank_pair<T> pair_of(tensor_id id, std::size_t layer) const {
    low_rank_pair<T> pair;
    if (!adapts(id)) return pair;
    const adapter_place<T> p = place_of(id, layer);
    const T* const gains = numbers_[adaptable_index(id)].gains;
    pair.a = p.a;
    pair.b = p.b;
    pair.gains = gains == nullptr ? nullptr : gains + layer * rule_of(id).rows(shape);
    pair.parts = p.parts;
    pair.rank = layout_.rank;
    pair.scale = static_cast<T>(layout_.scale());
    return pair;
  }

  /// After its numbers have been written, with the weights that it will stand beside: by what the rows are multiplied,
  /// which depends on their lengths. Of DoRA alone; others need no such call. A row of scratch is on the stack.
  template <class F>
  constexpr void prepare(const weight_views<Shape, F>& base) const {
    if (!layout_.decomposed) return;
    for (std::size_t i = 0; i < adaptable_count; ++i)
      for (std::size_t l = 0; layout_.parts[i].count > 0 && l < shape.layers; ++l) prepare_matrix(base, i, l);
  }

 private:
  struct numbers_of {
    T *a = nullptr, *b = nullptr, *magnitudes = nullptr, *gains = nullptr;
  };

  template <class A>
  constexpr void place(A& a) {
    for (std::size_t i = 0; i < adaptable_count; ++i) {
      const adapter_parts& p = layout_.parts[i];
      if (p.count == 0) continue;
      const tensor_rule& rule = rule_of(adaptable_tensors[i]);
      numbers_[i].a = a.template allocate<T>(shape.layers * p.count * layout_.rank * rule.cols(shape));
      numbers_[i].b = a.template allocate<T>(shape.layers * p.all_rows() * layout_.rank);
      if (!layout_.decomposed) continue;
      numbers_[i].magnitudes = a.template allocate<T>(shape.layers * p.all_rows());
      numbers_[i].gains = a.template allocate<T>(shape.layers * rule.rows(shape));
    }
  }

  template <class F>
  constexpr void prepare_matrix(const weight_views<Shape, F>& base, std::size_t i, std::size_t layer) const {
    using format = typename weight_views<Shape, F>::format;
    const tensor_id id = adaptable_tensors[i];
    const std::size_t n = rule_of(id).rows(shape), k = rule_of(id).cols(shape);
    const auto view = base.matrix_of(id, layer);
    T* const gains = numbers_[i].gains + layer * n;
    low_rank_pair<T> pair = pair_of(id, layer);
    pair.gains = nullptr;
    for (std::size_t j = 0; j < n; ++j) gains[j] = 1;
    std::size_t before = 0;
    for (std::size_t p = 0; p < pair.parts->count; before += pair.parts->rows[p++])
      for (std::size_t j = 0; j < pair.parts->rows[p]; ++j) {
        T row[larger(larger(shape.d_model, shape.d_ff), shape.q_dim())]{};
        format::decode(view, pair.parts->first[p] + j, 0, k, row);
        add_adapter_row(pair, pair.parts->first[p] + j, k, row);
        T squares = 0;
        for (std::size_t c = 0; c < k; ++c) squares += row[c] * row[c];
        const T magnitude = place_of(id, layer).magnitudes[before + j];
        // Of a layer without an adapter, where all numbers are zeros: as it is.
        if (magnitude != 0 && squares > 0) gains[pair.parts->first[p] + j] = magnitude / math::sqrt(squares);
      }
  }

  adapter_shape layout_{};
  numbers_of numbers_[adaptable_count]{};
};

/// The adapter of model M.
template <class M>
using adapter = basic_adapter<typename M::shape_type, typename M::real>;

}}  // namespace ctlm
