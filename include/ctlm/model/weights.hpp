// SPDX-License-Identifier: MIT
// ctlm: the weights of a model: views of one contiguous stretch of the caller's memory.
#pragma once

#include "../core/span.hpp"
#include "../format/factored.hpp"
#include "../format/mixed.hpp"
#include "../memory/plan.hpp"
#include "tensor_table.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Places for views of tensors: as many as models of this shape may have. Of a config with an error in it, which the
/// compiler has named already, any number.
template <class Shape>
inline constexpr std::size_t tensor_places = whole_tensor_count;
template <class Shape>
requires requires { typename std::integral_constant<std::size_t, Shape::value.vocab>; }
inline constexpr std::size_t tensor_places<Shape> = tensor_count_of(Shape::value);

/// The tensors of the models of one shape: one table in the program, whatever the formats.
template <class Shape>
inline constexpr basic_tensor_table<tensor_places<Shape>> tensors_of{Shape::value};

/// The tensors of a model, as views of memory that belongs to somebody else: one contiguous stretch of it, or, by
/// put(), several. F is a format, or a const format for weights that are only read. Shape::value is the decoder_shape.
template <class Shape, class F>
class weight_views {
 public:
  static constexpr decoder_shape shape = Shape::value;       ///< the model's sizes
  static constexpr const auto& tensors = tensors_of<Shape>;  ///< the model's tensors
  static constexpr bool read_only = std::is_const_v<F>;      ///< whether F is const

  /// How matrices are stored: F itself, or the interleaved layout of an integer format.
  using format = stored<std::remove_const_t<F>>;
  using view = matrix<std::conditional_t<read_only, const format, format>>;  ///< of a matrix

  /// A number of a gain or a bias: a number of arithmetic, const for weights that are only read.
  using real = std::conditional_t<read_only, const typename format::compute, typename format::compute>;
  using byte = std::conditional_t<read_only, const std::byte, std::byte>;  ///< const for weights that are only read

  constexpr weight_views() = default;

  /// Places the tensors in an arena, in the order of the table; the memory is zeroed. Throws ctlm::error, or calls
  /// ctlm::fatal, when an arena of run-time size has no room for bytes_needed() more; one of compile-time size does not
  /// compile.
  template <arena A>
  constexpr explicit weight_views(A& a) {
    require_room<bytes_needed()>(a, "weights");
    place(a);
  }

  /// Weights that are already there: in flash, in a mapped file, in another weight_views' bytes(). Nothing is copied.
  /// Errors: errc::wrong_model (not bytes_needed() of them), invalid_argument (not aligned to memory_alignment).
  static result<weight_views> bind(span<byte> blob) {
    constexpr std::size_t needed = bytes_needed();
    if (blob.size() != needed)
      return failure{errc::wrong_model,
                     "ctlm: these bytes are not the weights of this model: it has {needed} bytes of them, here are "
                     "{had}: the size differs",
                     blob.size(), needed, blob.size()};
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
    for (std::size_t i = 0; i < places; ++i) {
      matrices_[i] = other.raw_matrix(i);
      vectors_[i] = other.raw_vector(i);
    }
  }

  /// Exact bytes of all tensors, padding included.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { weight_views<Shape, std::remove_const_t<F>>().place(a); });
  }

  /// All tensors of all layers, padding included.
  span<byte> bytes() const {
    constexpr std::size_t needed = bytes_needed();
    return {first_tensor(), needed};
  }

  /// Whether the model has this tensor.
  static constexpr bool has(tensor_id id) { return tensors.has(id); }

  /// One layer's matrix; layer 0 for the tensors that exist once.
  constexpr view matrix_of(tensor_id id, std::size_t layer = 0) const {
    const view& all = matrices_[static_cast<std::size_t>(id)];
    return all.slice((layer - first_layer_) * rows_of(id), rows_of(id));
  }
  /// The same with the tensor known to the compiler: what projections ask, so that views of different tensors may be of
  /// different types: a projection that factored<> names is a factored_matrix.
  template <tensor_id id>
  constexpr auto matrix_of(std::size_t layer = 0) const {
    if constexpr (rank_of(shape, id) > 0) {
      constexpr factor_ids f = factors_of(id);
      return factored_matrix<view, real>{matrix_of(f.u, layer), vector_of(f.s, layer), matrix_of(f.v, layer),
                                         vector_of(f.d, layer), rank_of(shape, id)};
    } else {
      return matrix_of(id, layer);
    }
  }
  /// One expert's matrix: that part of matrix_of<id>(layer). Experts count from 0.
  template <tensor_id id>
  constexpr view expert_of(std::size_t layer, std::size_t expert) const {
    constexpr std::size_t rows = tensors.of(id).piece_rows();
    return matrix_of<id>(layer).slice(expert * rows, rows);
  }
  /// One layer's vector, or its router, [experts][d_model]; nullptr if the model has no such tensor.
  constexpr real* vector_of(tensor_id id, std::size_t layer = 0) const {
    real* all = vectors_[static_cast<std::size_t>(id)];
    return all == nullptr ? nullptr : all + (layer - first_layer_) * rows_of(id) * cols_of(id);
  }
  /// The output projection: the token embedding where the two are tied.
  constexpr view head() const {
    return matrix_of(shape.tie_embeddings ? tensor_id::token_embedding : tensor_id::head_weight);
  }
  /// All layers of a matrix, stacked: [layers * rows][cols]. `id` is a tensor_id, or tensor_info::index().
  constexpr const view& raw_matrix(std::size_t id) const { return matrices_[id]; }
  /// All layers of a gain, a bias or a router, [layers][rows][cols]; nullptr if the model has no such tensor.
  constexpr real* raw_vector(std::size_t id) const { return vectors_[id]; }
  /// The numbers of any tensor, all layers of them, where matrices hold the numbers of arithmetic themselves; none of
  /// one that is empty.
  constexpr span<real> numbers(const tensor_info& t) const requires native_format<format> {
    if constexpr (!shape.tie_embeddings)  // gradients may be without it
      if (t.id == tensor_id::head_weight && matrices_[t.index()].data == nullptr) return {};
    return {t.is_matrix() ? matrices_[t.index()].data : vectors_[t.index()], t.size()};
  }

  /// f(info, values) for every tensor of the model, in the order in which they lie in memory. Values are a
  /// span<real> of [layers][rows][cols] for gains, biases and routers, and a view of [layers * rows][cols] for the
  /// others.
  template <class Visit>
  constexpr void for_each(Visit&& f) const {
    for (const tensor_info& t : tensors) visit(t, f);
  }
  /// f(info, values) for one tensor.
  template <class Visit>
  constexpr void visit(const tensor_info& t, Visit&& f) const {
    if (t.is_matrix())
      f(t, matrices_[t.index()]);
    else
      f(t, span<real>(vectors_[t.index()], t.size()));
  }

  /// Makes `m`, or `v`, the view of a tensor: for weights that do not lie in one stretch of memory, such as those of
  /// one layer in a buffer that they were read into. Tensors that nothing was put for are empty.
  constexpr void put(tensor_id id, const view& m) { matrices_[static_cast<std::size_t>(id)] = m; }
  constexpr void put(tensor_id id, real* v) { vectors_[static_cast<std::size_t>(id)] = v; }
  /// Says that the stacked tensors put here begin with layer `first`, not with layer 0.
  constexpr void begin_with(std::size_t first) { first_layer_ = first; }

  /// Asks an arena for the memory of so many layers of a matrix, from layer `first` on.
  template <class A>
  static constexpr auto place_matrix(A& a, const tensor_info& t, std::size_t layers,
                                     [[maybe_unused]] std::size_t first = 0) {
    if constexpr (mixed_format<format>)
      return format::place_tensor(a, selected(t), t.is_of_layer() ? first : no_layer, layers, t.rows, t.cols,
                                  t.piece_rows());
    else if constexpr (quantised_format<format>)
      return format::place(a, layers * t.rows, t.cols, t.piece_rows());
    else
      return format::place(a, layers * t.rows, t.cols);
  }

  /// Asks an arena for the memory of all tensors, in the order of the table. Without the vocabulary, a head that is not
  /// tied gets none, and is empty.
  template <bool vocabulary = true, class A>
  constexpr void place(A& a) {
    for (const tensor_info& t : tensors) {
      if constexpr (!vocabulary)
        if (t.id == tensor_id::head_weight) continue;
      if (t.is_matrix())
        matrices_[t.index()] = place_matrix(a, t, t.layers);
      else
        vectors_[t.index()] = a.template allocate<std::remove_const_t<real>>(t.size());
    }
  }

 private:
  static constexpr std::size_t selected(const tensor_info& t) {
    if constexpr (shape.is_factored())
      return t.selected();
    else
      return t.index();
  }
  static constexpr std::size_t places = tensor_places<Shape>;
  static constexpr std::size_t rows_of(tensor_id id) { return tensors.of(id).rows; }
  static constexpr std::size_t cols_of(tensor_id id) { return tensors.of(id).cols; }
  byte* first_tensor() const {
    byte* first = nullptr;
    view m = matrices_[0];
    format::for_each_part(m, [&](auto* p, std::size_t) {
      if (first == nullptr) first = reinterpret_cast<byte*>(p);
    });
    return first;
  }

  view matrices_[places]{};
  real* vectors_[places]{};
  std::size_t first_layer_ = 0;
};

}}  // namespace ctlm
