// SPDX-License-Identifier: MIT
// ctlm: a layer's weights as its block sees them, where somebody looks at what goes into its matrices, or has put
// rounded ones in their place.
#pragma once

#include "../format/f32.hpp"
#include "../model/weights.hpp"
#include "inputs.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The four kinds of rows that go into the matrices of a layer: qkv, out, up and down.
inline constexpr std::size_t layer_inputs = 4;

/// Which of them a matrix has.
constexpr std::size_t input_of(tensor_id id) {
  return id == tensor_id::qkv_weight ? 0 : id == tensor_id::out_weight ? 1 : id == tensor_id::up_weight ? 2 : 3;
}

/// A layer whose matrices' inputs are added up.
template <class W, class T>
struct observed_layer {
  const W& weights;             ///< those of the model
  input_statistics<T>* inputs;  ///< [layer_inputs] the sums
  T* workspace = nullptr;       ///< of input_statistics::add
  std::size_t stride = 0;       ///< numbers of it for each worker
  T* const* exact = nullptr;    ///< [layer_inputs] what the exact model has there (add_moved); or nullptr
  bool goes_on = true;          ///< false: nobody wants what the layer makes, and its last product is left out

  /// The view of one matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    const auto m = weights.template matrix_of<id>(layer);
    return observed_matrix<std::remove_cv_t<decltype(m)>, T>{m,
                                                             inputs + input_of(id),
                                                             workspace,
                                                             stride,
                                                             exact == nullptr ? nullptr : exact[input_of(id)],
                                                             goes_on || id != tensor_id::down_weight};
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

/// A layer whose matrices' inputs are kept.
template <class W, class T>
struct recorded_layer {
  const W& weights;  ///< those of the model
  T* const* rows;    ///< [layer_inputs] of a sequence

  /// The view of one matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    const auto m = weights.template matrix_of<id>(layer);
    return recorded_matrix<std::remove_cv_t<decltype(m)>, T>{m, rows[input_of(id)]};
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

/// A layer whose matrices lie elsewhere, in single precision.
template <class W>
struct replaced_layer {
  const W& weights;       ///< those of the model
  float* const* numbers;  ///< [layer_inputs] of its matrices: [rows][cols]

  /// The view of one matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    const auto m = weights.template matrix_of<id>(layer);
    return f32::view<true>{numbers[input_of(id)], m.rows, m.cols};
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

}}  // namespace ctlm
