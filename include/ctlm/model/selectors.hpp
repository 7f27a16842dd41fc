// SPDX-License-Identifier: MIT
// ctlm: names for matrices of a model, for keep<>: which of them are stored in a format of their own.
#pragma once

#include "../format/mixed.hpp"
#include "tensor_table.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What keep<F, ...> and groups<...> can name; keep<> names matrices alone.
namespace tensors {

/// Matrices with one of these ids, of all layers.
template <tensor_id... Ids>
struct of {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t tensor, std::size_t) {
    return ((tensor == static_cast<std::size_t>(Ids)) || ...);
  }
};

/// The embedding of tokens; the head too, where the two are tied.
struct embedding : of<tensor_id::token_embedding> {
  static constexpr const char* name = "ctlm::tensors::embedding";  ///< in headers that are written
};
/// Learned positions.
struct positions : of<tensor_id::position_embedding> {
  static constexpr const char* name = "ctlm::tensors::positions";  ///< in headers that are written
};
/// A head of its own.
struct head : of<tensor_id::head_weight> {
  static constexpr const char* name = "ctlm::tensors::head";  ///< in headers that are written
};
/// The projection to queries, keys and values.
struct qkv : of<tensor_id::qkv_weight> {
  static constexpr const char* name = "ctlm::tensors::qkv";  ///< in headers that are written
};
/// The projection from attention.
struct out : of<tensor_id::out_weight> {
  static constexpr const char* name = "ctlm::tensors::out";  ///< in headers that are written
};
/// The projection into the feed-forward part, its gate too.
struct up : of<tensor_id::up_weight> {
  static constexpr const char* name = "ctlm::tensors::up";  ///< in headers that are written
};
/// The projection out of the feed-forward part.
struct down : of<tensor_id::down_weight> {
  static constexpr const char* name = "ctlm::tensors::down";  ///< in headers that are written
};

/// Tensors with one of these roles, of all layers.
template <tensor_role... Roles>
struct with_role {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t tensor, std::size_t) {
    return ((declared_tensors[tensor].role == Roles) || ...);
  }
};
/// All matrices, the embeddings among them.
struct matrices : with_role<tensor_role::embedding, tensor_role::projection, tensor_role::into_residual> {};
/// The factors of all norms.
struct gains : with_role<tensor_role::gain> {};
/// All biases.
struct biases : with_role<tensor_role::bias> {};
/// What chooses experts.
struct routers : with_role<tensor_role::router> {};

/// All tensors of these layers, which count from 0.
template <std::size_t... Layers>
struct layers {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t, std::size_t layer) { return ((layer == Layers) || ...); }
};

/// Tensors that all of these name: both<down, layers<0, 1>>.
template <class... Where>
struct both {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t tensor, std::size_t layer) { return (Where::has(tensor, layer) && ...); }
};

}  // namespace tensors

namespace selectors_detail {

template <class Keep>
constexpr bool names_some(const tensor_table& table) {
  for (const tensor_info& t : table)
    for (std::size_t l = 0; t.is_matrix() && l < t.layers; ++l)
      if (Keep::has(t.index(), t.is_of_layer() ? l : no_layer)) return true;
  return false;
}
template <class Keep>
struct check_keep {
  template <class Shape>
  static constexpr bool of() {
    static_assert(names_some<Keep>(tensor_table(Shape::value)),
                  "ctlm: keep<F, ...> names no matrix that this model has (a tied head is tensors::embedding)");
    return true;
  }
};

}  // namespace selectors_detail

/// Refuses a keep<> that names no matrix of models of this shape.
template <class Shape, class F>
constexpr bool keeps_are_matrices(F*) {
  return true;
}
template <class Shape, class F, class... Keeps>
constexpr bool keeps_are_matrices(mixed_formats<F, Keeps...>*) {
  return (selectors_detail::check_keep<Keeps>::template of<Shape>() && ...);
}

}}  // namespace ctlm
