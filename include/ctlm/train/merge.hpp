// SPDX-License-Identifier: MIT
// ctlm: what a trainer with train_only<> has learned, as weights of the whole model.
#pragma once

#include "adapted_weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// W + scale B A of row `row` of a matrix, to `to`, [k]; with gains (DoRA) multiplied by the row's.
template <class T>
constexpr void add_adapter_row(const low_rank_pair<T>& w, std::size_t row, std::size_t k, T* to) {
  if (w.a == nullptr) return;
  std::size_t before = 0;
  for (std::size_t p = 0; p < w.parts->count; before += w.parts->rows[p++]) {
    if (row < w.parts->first[p] || row >= w.parts->first[p] + w.parts->rows[p]) continue;
    const T* const b = w.b + (before + row - w.parts->first[p]) * w.rank;
    for (std::size_t r = 0; r < w.rank; ++r) {
      const T factor = w.scale * b[r];
      const T* const a = w.a + (p * w.rank + r) * k;
      for (std::size_t i = 0; i < k; ++i) to[i] += factor * a[i];
    }
  }
  if (w.gains != nullptr)
    for (std::size_t i = 0; i < k; ++i) to[i] *= w.gains[row];
}

namespace merge_detail {

/// f(low_rank_pair) of a tensor that may have an adapter.
template <class W, class F>
constexpr void with_adapter(const W& w, tensor_id id, std::size_t layer, F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    auto look = [&]<tensor_id one>() {
      if constexpr (requires { w.template adapter_of<one>(layer); })
        if (one == id) f(w.template adapter_of<one>(layer));
    };
    (look.template operator()<adaptable_tensors[I]>(), ...);
  }
  (std::make_index_sequence<adaptable_count>{});
}

}  // namespace merge_detail

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
      low_rank_pair<real> adapter;
      merge_detail::with_adapter(from, t.id, l, [&](const auto& pair) { adapter = pair; });
      for (std::size_t r = 0; r < t.rows; ++r) {
        source::decode(view, r, 0, t.cols, row);
        add_adapter_row(adapter, r, t.cols, row);
        target::encode(to.matrix_of(t.id, l), r, row);
      }
    }
}

}}  // namespace ctlm
