// SPDX-License-Identifier: MIT
// ctlm: the weights of a model: views of one contiguous stretch of the caller's memory.
#pragma once

#include "../core/span.hpp"
#include "../format/interleaved.hpp"
#include "../memory/plan.hpp"
#include "tensor_table.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// F is a format, or a const format for weights that are only read. Shape::value is the decoder_shape.
template <class Shape, class F>
class weight_views {
 public:
  static constexpr decoder_shape shape = Shape::value;
  static constexpr tensor_table tensors = make_tensor_table(shape);
  static constexpr bool read_only = std::is_const_v<F>;
  /// How matrices are stored: F itself, or the interleaved layout of an integer format.
  using format = stored<std::remove_const_t<F>>;
  using matrix_view = matrix<std::conditional_t<read_only, const format, format>>;
  using real = std::conditional_t<read_only, const typename format::compute, typename format::compute>;
  using byte = std::conditional_t<read_only, const std::byte, std::byte>;

  constexpr weight_views() = default;

  /// Places the tensors in an arena, in the order of the table; the memory is zeroed. Throws ctlm::error, or calls
  /// ctlm::fatal, when an arena of run-time size has no room for bytes_needed() more; one of compile-time size does not
  /// compile.
  template <arena A>
  constexpr explicit weight_views(A& a) {
    require_room<bytes_needed()>(a, "weights");
    place(a);
  }

  /// Weights that are already there: in flash, in a mapped file, in another weight_views' bytes().
  static result<weight_views> bind(span<byte> blob) {
    if (blob.size() != bytes_needed())
      return failure{errc::wrong_model,
                     "ctlm: these bytes are not the weights of this model: it has {needed} bytes of them, here are "
                     "{had}: the size differs",
                     blob.size(), bytes_needed(), blob.size()};
    const std::size_t beyond = reinterpret_cast<std::uintptr_t>(blob.data()) % memory_alignment;
    if (beyond != 0)
      return failure{errc::invalid_argument,
                     "ctlm: weights must be aligned to ctlm::memory_alignment: to {needed} bytes, and they begin {had} "
                     "bytes after such a place",
                     0, memory_alignment, beyond};
    weight_views w;
    binding_arena<byte> a(blob.data(), blob.size());
    w.place(a);
    return w;
  }

  constexpr weight_views(const weight_views&) = default;
  constexpr weight_views& operator=(const weight_views&) = default;
  constexpr weight_views(const weight_views<Shape, std::remove_const_t<F>>& other) requires read_only {
    for (std::size_t i = 0; i < tensor_count; ++i) {
      matrices_[i] = other.raw_matrix(i);
      vectors_[i] = other.raw_vector(i);
    }
  }

  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { weight_views<Shape, std::remove_const_t<F>>().place(a); });
  }

  /// All tensors of all layers, padding included.
  span<byte> bytes() const { return {reinterpret_cast<byte*>(first_tensor()), bytes_needed()}; }

  static constexpr bool has(tensor_id id) {
    for (const tensor_info& t : tensors)
      if (t.id == id) return true;
    return false;
  }

  /// One layer's matrix; layer 0 for the tensors that exist once.
  constexpr matrix_view matrix_of(tensor_id id, std::size_t layer = 0) const {
    const matrix_view& all = matrices_[static_cast<std::size_t>(id)];
    return all.slice((layer - first_layer_) * rows_of(id), rows_of(id));
  }
  /// One layer's vector; nullptr if the model has no such tensor.
  constexpr real* vector_of(tensor_id id, std::size_t layer = 0) const {
    real* all = vectors_[static_cast<std::size_t>(id)];
    return all == nullptr ? nullptr : all + (layer - first_layer_) * cols_of(id);
  }
  /// The output projection: the token embedding where the two are tied.
  constexpr matrix_view head() const {
    return matrix_of(shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight);
  }
  /// All layers of a matrix, stacked.
  constexpr const matrix_view& raw_matrix(std::size_t id) const { return matrices_[id]; }
  constexpr real* raw_vector(std::size_t id) const { return vectors_[id]; }

  /// Views of tensors that lie here and there: one layer's, say, in a buffer that it was read into. Those not put are
  /// empty. The stacked tensors begin with layer `first`.
  constexpr void put(tensor_id id, const matrix_view& m) { matrices_[static_cast<std::size_t>(id)] = m; }
  constexpr void put(tensor_id id, real* v) { vectors_[static_cast<std::size_t>(id)] = v; }
  constexpr void begin_with(std::size_t first) { first_layer_ = first; }

  template <class A>
  constexpr void place(A& a) {
    for (const tensor_info& t : tensors) {
      const auto i = static_cast<std::size_t>(t.id);
      if (t.kind == tensor_kind::matrix)
        matrices_[i] = place_matrix(a, t);
      else
        vectors_[i] = a.template allocate<std::remove_const_t<real>>(t.size());
    }
  }

 private:
  template <class A>
  static constexpr matrix_view place_matrix(A& a, const tensor_info& t) {
    if constexpr (quantised_format<format>)
      return format::place(a, t.layers * t.rows, t.cols, t.rows);
    else
      return format::place(a, t.layers * t.rows, t.cols);
  }
  static constexpr const tensor_info& info(tensor_id id) {
    std::size_t i = 0;
    while (tensors[i].id != id) ++i;
    return tensors[i];
  }
  static constexpr std::size_t rows_of(tensor_id id) { return info(id).rows; }
  static constexpr std::size_t cols_of(tensor_id id) { return info(id).cols; }
  auto* first_tensor() const {
    if constexpr (quantised_format<format>)
      return matrices_[0].codes;
    else
      return matrices_[0].data;
  }

  matrix_view matrices_[tensor_count]{};
  real* vectors_[tensor_count]{};
  std::size_t first_layer_ = 0;
};

}}  // namespace ctlm
