// SPDX-License-Identifier: MIT
// ctlm: the tensors of one model: the declared ones that its shape has, with their sizes. The one source for loaders,
// gradients, optimizer state and checkpoints alike.
#pragma once

#include "../core/hash.hpp"
#include "declared_tensors.hpp"

#include <initializer_list>

namespace ctlm { inline namespace CTLM_ABI {

/// One tensor, or one per layer stacked: [layers][rows][cols].
struct tensor_info {
  const char* name = "";   ///< in files and messages
  tensor_id id{};          ///< in code
  tensor_role role{};      ///< what it is for
  tensor_scope scope{};    ///< one of it, or one for each layer
  std::size_t layers = 1;  ///< how many are stacked; 1 for those of the model
  std::size_t rows = 1;    ///< rows of one layer's; 1 for gains and biases
  std::size_t cols = 0;    ///< numbers in a row
  std::size_t pieces = 1;  ///< matrices of which the rows of one layer consist: those of experts

  /// Numbers in it, all layers together.
  constexpr std::size_t size() const { return layers * rows * cols; }
  /// Stored in the weight format; otherwise in numbers of arithmetic: a gain, a bias or a router.
  constexpr bool is_matrix() const { return ctlm::is_matrix(role); }
  /// Subject to weight decay.
  constexpr bool decays() const { return ctlm::decays(role); }
  /// Rows of each of the pieces.
  constexpr std::size_t piece_rows() const { return rows / pieces; }
  /// Whether each layer has one.
  constexpr bool is_of_layer() const { return scope == tensor_scope::layer; }
  /// As which tensor selectors name it: a factor as its projection.
  constexpr std::size_t selected() const { return static_cast<std::size_t>(projection_of(index())); }
  /// The tensor's place among all declared ones.
  constexpr std::size_t index() const { return static_cast<std::size_t>(id); }
};

/// The tensors of a model, in the order in which they lie in memory: at most Most of them.
template <std::size_t Most>
class basic_tensor_table {
 public:
  /// Of the declared tensors, those that a model of this shape has.
  constexpr explicit basic_tensor_table(const decoder_shape& s) {
    for (const tensor_rule& r : declared_tensors)
      if (r.present(s))
        entries_[count_++] = {r.name,    r.id,      r.role,     r.scope, r.scope == tensor_scope::layer ? s.layers : 1,
                              r.rows(s), r.cols(s), r.pieces(s)};
  }
  constexpr const tensor_info* begin() const { return entries_; }
  constexpr const tensor_info* end() const { return entries_ + count_; }
  constexpr std::size_t size() const { return count_; }
  /// The i-th tensor of this model.
  constexpr const tensor_info& operator[](std::size_t i) const { return entries_[i]; }

  /// Whether the model has this tensor.
  constexpr bool has(tensor_id id) const {
    for (const tensor_info& t : *this)
      if (t.id == id) return true;
    return false;
  }
  /// The entry of a tensor that the model has.
  constexpr const tensor_info& of(tensor_id id) const {
    std::size_t i = 0;
    while (entries_[i].id != id) ++i;
    return entries_[i];
  }

  /// Numbers in all tensors.
  constexpr std::size_t parameters() const {
    std::size_t n = 0;
    for (const tensor_info& t : *this) n += t.size();
    return n;
  }
  /// Identifies names and shapes: a checkpoint of another model has another hash.
  constexpr std::uint64_t layout_hash() const {
    fingerprint f;
    for (const tensor_info& t : *this) {
      f.text(t.name);
      for (std::size_t extent : {t.layers, t.rows, t.cols}) f.number(extent);
    }
    return f.value();
  }

 private:
  tensor_info entries_[Most]{};
  std::size_t count_ = 0;
};

/// With room for those of any shape.
using tensor_table = basic_tensor_table<tensor_count>;

}}  // namespace ctlm
