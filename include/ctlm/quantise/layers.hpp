// SPDX-License-Identifier: MIT
// ctlm: a layer's weights as its block sees them, where somebody looks at what goes into its matrices, or has put
// rounded ones in their place.
#pragma once

#include "../format/f32.hpp"
#include "../model/weights.hpp"
#include "experts.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The four kinds of rows that go into the matrices of a layer: qkv, out, up and down.
inline constexpr std::size_t layer_inputs = 4;

/// How many of them are the same for all rows: those before experts.
constexpr std::size_t shared_inputs_of(const decoder_shape& s) { return s.experts > 0 ? 2 : layer_inputs; }

/// Which of them a matrix has.
constexpr std::size_t input_of(tensor_id id) {
  return id == tensor_id::qkv_weight ? 0 : id == tensor_id::out_weight ? 1 : id == tensor_id::up_weight ? 2 : 3;
}

/// What is known of the experts of a layer whose inputs are looked at. Of models without experts nothing is.
template <class T, std::size_t experts>
struct watched_experts {
  expert_statistics<T, experts>* inputs = nullptr;  ///< [2] of up_weight and down_weight
  const routing<T>* routed = nullptr;               ///< which rows take which
  const kept_picks<T>* exact = nullptr;             ///< what they see in the exact model; or nullptr
};

/// A layer whose matrices' inputs are added up.
template <class W, class T>
struct observed_layer {
  static constexpr std::size_t expert_count = W::shape.experts;  ///< of the layer; 0: it has one feed-forward part

  const W& weights;             ///< those of the model
  input_statistics<T>* inputs;  ///< [layer_inputs] the sums
  T* workspace = nullptr;       ///< of input_statistics::add
  std::size_t stride = 0;       ///< numbers of it for each worker
  T* const* exact = nullptr;    ///< [layer_inputs] what the exact model has there (add_moved); or nullptr
  bool goes_on = true;          ///< false: nobody wants what the layer makes, and its last product is left out
  watched_experts<T, expert_count> experts{};  ///< of models with experts

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
  /// The view of one expert's matrix.
  template <tensor_id id>
  constexpr auto expert_of(std::size_t layer, std::size_t expert) const {
    const auto m = weights.template expert_of<id>(layer, expert);
    constexpr std::size_t which = id == tensor_id::down_weight;
    using view = std::remove_cv_t<decltype(m)>;
    const observed_matrix<view, T> seen{m,       &experts.inputs[which].each[expert],    workspace, stride,
                                        nullptr, goes_on || id != tensor_id::down_weight};
    return observed_expert<view, T>{seen, W::shape, expert, *experts.routed, experts.exact, which};
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

/// A layer whose matrices' inputs are kept.
template <class W, class T>
struct recorded_layer {
  const W& weights;                      ///< those of the model
  T* const* rows;                        ///< [layer_inputs] of a sequence
  const routing<T>* routed = nullptr;    ///< of models with experts: which rows take which
  const kept_picks<T>* picks = nullptr;  ///< and where the inputs of experts go

  /// The view of one matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    const auto m = weights.template matrix_of<id>(layer);
    return recorded_matrix<std::remove_cv_t<decltype(m)>, T>{m, rows[input_of(id)]};
  }
  /// The view of one expert's matrix.
  template <tensor_id id>
  constexpr auto expert_of(std::size_t layer, std::size_t expert) const {
    const auto m = weights.template expert_of<id>(layer, expert);
    T* const all = picks->rows[id == tensor_id::down_weight];
    return recorded_matrix<std::remove_cv_t<decltype(m)>, T>{m, all + routed->first[expert] * m.cols};
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
  /// The view of one expert's matrix.
  template <tensor_id id>
  constexpr auto expert_of(std::size_t layer, std::size_t expert) const {
    const auto m = weights.template expert_of<id>(layer, expert);
    return f32::view<true>{numbers[input_of(id)] + expert * m.rows * m.cols, m.rows, m.cols};
  }
  /// A gain or a bias.
  constexpr auto vector_of(tensor_id id, std::size_t layer = 0) const { return weights.vector_of(id, layer); }
};

}}  // namespace ctlm
