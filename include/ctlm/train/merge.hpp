// SPDX-License-Identifier: MIT
// ctlm: what a trainer with train_only<> has learned, as weights of the whole model.
#pragma once

#include "../model/adapter.hpp"
#include "adapted_weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Writes weights with what was learned to `to`, in any format: those of a model without adapters that computes the
/// same (but for the rounding of another format than f32). `from` is a trainer's adapted(), or a session's weights with
/// an adapter. Takes a row of scratch on the stack, as long as the model's longest.
template <class From, class Shape, class F>
constexpr void merge_adapter(const From& from, const weight_views<Shape, F>& to) {
  using real = typename F::compute;
  using source = typename From::format;
  using target = typename weight_views<Shape, F>::format;
  real row[longest_row(weight_views<Shape, F>::tensors)]{};
  for (const tensor_info& t : weight_views<Shape, F>::tensors)
    for (std::size_t l = 0; l < t.layers; ++l) {
      if (!t.is_matrix()) {
        const real* const numbers = from.vector_of(t.id, l);
        for (std::size_t i = 0; i < t.rows * t.cols; ++i) to.vector_of(t.id, l)[i] = numbers[i];
        continue;
      }
      const auto view = from.matrix_of(t.id, l);
      const low_rank_pair<real> adapter = from.pair_of(t.id, l);
      for (std::size_t r = 0; r < t.rows; ++r) {
        source::decode(view, r, 0, t.cols, row);
        add_adapter_row(adapter, r, t.cols, row);
        target::encode(to.matrix_of(t.id, l), r, row);
      }
    }
}

/// Weights, and an adapter beside them.
template <class Shape, class F>
struct weights_with_adapter {
  using format = typename weight_views<Shape, F>::format;  ///< how matrices are stored
  using real = typename format::compute;                   ///< numbers of arithmetic
  const weight_views<Shape, F>& base;                      ///< which do not change
  const basic_adapter<Shape, real>& adapter;               ///< what is added to them

  /// One layer's matrix, without what is added.
  constexpr auto matrix_of(tensor_id id, std::size_t layer = 0) const { return base.matrix_of(id, layer); }
  /// One layer's vector.
  constexpr const real* vector_of(tensor_id id, std::size_t layer = 0) const { return base.vector_of(id, layer); }
  /// What is added to a matrix.
  constexpr low_rank_pair<real> pair_of(tensor_id id, std::size_t layer) const { return adapter.pair_of(id, layer); }
};
template <class Shape, class F, class A>
weights_with_adapter(const weight_views<Shape, F>&, const A&) -> weights_with_adapter<Shape, F>;

}}  // namespace ctlm
