// SPDX-License-Identifier: MIT
// ctlm: names for tensors of a model: for keep<>, which matrices are stored in a format of their own; for train_only<>
// and lora<>, what learns.
#pragma once

#include "../format/mixed.hpp"
#include "tensor_table.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// What keep<F, ...>, groups<...>, train_only<...> and lora<rank, ...> can name; keep<> and lora<> name matrices alone.
namespace tensors {

/// Matrices with one of these ids, of all layers; where they are factored, what stands in their place.
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
/// All biases (BitFit: Ben Zaken et al. 2022).
struct biases : with_role<tensor_role::bias> {};
/// What chooses experts.
struct routers : with_role<tensor_role::router> {};

/// All projections of the layers: qkv, out, up and down.
struct projections : of<tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight, tensor_id::down_weight> {};

/// One part of a projection that holds several: part number Part of tensor Id.
template <tensor_id Id, std::size_t Part>
struct part_of : of<Id> {
  /// Whether it is this part.
  static constexpr bool has_part(std::size_t tensor, std::size_t part, std::size_t) {
    return tensor == static_cast<std::size_t>(Id) && part == Part;
  }
};
/// Parts of qkv and of a gated up, which an adapter may have alone: lora<8, tensors::any<tensors::queries, values>>.
struct queries : part_of<tensor_id::qkv_weight, 0> {};
struct keys : part_of<tensor_id::qkv_weight, 1> {};    ///< the projection to keys
struct values : part_of<tensor_id::qkv_weight, 2> {};  ///< the projection to values
struct gate : part_of<tensor_id::up_weight, 0> {};     ///< the gate of a gated feed-forward part
struct gated : part_of<tensor_id::up_weight, 1> {};    ///< what the gate multiplies: Hugging Face's up_proj

/// All tensors of these layers, which count from 0.
template <std::size_t... Layers>
struct layers {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t, std::size_t layer) { return ((layer == Layers) || ...); }
};

/// Whether a selector has a part of a tensor: all that have the tensor do, but those of single parts.
template <class Where>
constexpr bool has_part(std::size_t tensor, std::size_t part, std::size_t layer) {
  if constexpr (requires { Where::has_part(tensor, part, layer); })
    return Where::has_part(tensor, part, layer);
  else
    return Where::has(tensor, layer);
}

/// What any of these names: any<qkv, out>.
template <class... Where>
struct any {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t tensor, std::size_t layer) { return (Where::has(tensor, layer) || ...); }
  /// Whether a part of it is.
  static constexpr bool has_part(std::size_t tensor, std::size_t part, std::size_t layer) {
    return (tensors::has_part<Where>(tensor, part, layer) || ...);
  }
};

/// Tensors that all of these name: both<down, layers<0, 1>>.
template <class... Where>
struct both {
  /// Whether it is one of them.
  static constexpr bool has(std::size_t tensor, std::size_t layer) { return (Where::has(tensor, layer) && ...); }
  /// Whether a part of it is.
  static constexpr bool has_part(std::size_t tensor, std::size_t part, std::size_t layer) {
    return (tensors::has_part<Where>(tensor, part, layer) && ...);
  }
};

}  // namespace tensors

namespace selectors_detail {

template <class Keep>
constexpr bool names_some(const tensor_table& table) {
  for (const tensor_info& t : table)
    for (std::size_t l = 0; t.is_matrix() && l < t.layers; ++l)
      if (Keep::has(t.selected(), t.is_of_layer() ? l : no_layer)) return true;
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
