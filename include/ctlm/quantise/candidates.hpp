// SPDX-License-Identifier: MIT
// ctlm: formats to choose from, and the matrices of a model one by one.
#pragma once

#include "../format/int2.hpp"
#include "../format/int3.hpp"
#include "../format/int4.hpp"
#include "../format/int5.hpp"
#include "../format/int6.hpp"
#include "../format/int8.hpp"
#include "../model/weights.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Formats to choose from, at most 255.
template <format... Fs>
struct candidates {
  static_assert(sizeof...(Fs) > 0 && sizeof...(Fs) < 256, "ctlm: candidates<...> needs 1 to 255 formats");
  static_assert((std::same_as<typename Fs::compute, float> && ...),
                "ctlm: candidates<...> are formats that compute in float: not f64");
  static constexpr std::size_t size = sizeof...(Fs);  ///< how many

  /// f.operator()<F>(number) for each of them.
  template <class Visit>
  static constexpr void for_each(Visit&& f) {
    std::size_t i = 0;
    (f.template operator()<Fs>(i++), ...);
  }
};

/// Formats that a budget is spent on where the user names no others.
using default_candidates = candidates<int2<32, compact>, int3<32, compact>, int4<64, compact>, int4<32, compact>,
                                      int5<32, compact>, int6<32, compact>, int8<32>>;

/// A matrix of a model: that of one layer, or one that the model has once.
struct matrix_place {
  tensor_id id{};                ///< which tensor
  std::size_t layer = no_layer;  ///< of a layer, from 0; no_layer: the model has it once
};

/// The matrices of models of one shape, numbered as they lie in memory: all layers of a tensor, then the next tensor.
template <class Shape>
struct matrices_of {
  static constexpr const auto& tensors = tensors_of<Shape>;  ///< all tensors

  /// How many there are.
  static constexpr std::size_t count = [] {
    std::size_t n = 0;
    for (const tensor_info& t : tensor_table(Shape::value)) n += t.is_matrix() ? t.layers : 0;
    return n;
  }();
  /// The number of a matrix that the model has.
  static constexpr std::size_t number_of(const matrix_place& m) {
    std::size_t n = 0;
    for (const tensor_info& t : tensors) {
      if (t.id == m.id) break;
      n += t.is_matrix() ? t.layers : 0;
    }
    return n + (m.layer == no_layer ? 0 : m.layer);
  }
  /// The matrix with this number.
  static constexpr matrix_place place_of(std::size_t number) {
    for (const tensor_info& t : tensors) {
      if (!t.is_matrix()) continue;
      if (number < t.layers) return {t.id, t.is_of_layer() ? number : no_layer};
      number -= t.layers;
    }
    return {};
  }
};

/// Bytes that `layers` layers of a tensor take in format F, padding included.
template <format F>
constexpr std::size_t stacked_bytes(const tensor_info& t, std::size_t layers) {
  return measure([&](auto& a) {
    if constexpr (quantised_format<F>)
      stored<F>::place(a, layers * t.rows, t.cols, t.piece_rows());
    else
      F::place(a, layers * t.rows, t.cols);
  });
}

}}  // namespace ctlm
