// SPDX-License-Identifier: MIT
// ctlm: the tensors that a file of a model has, one by one, and the place of each in ours: what loading and saving
// share.
#pragma once

#include "tensor_names.hpp"

#include <string>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// One tensor of a file: some rows of one layer's matrix, or some numbers of its vector.
struct file_tensor {
  std::string name;                       ///< in the file
  const tensor_info* ours = nullptr;      ///< the tensor that it is a part of
  const tensor_origin* origin = nullptr;  ///< how the file lays it out
  std::size_t part = 0;                   ///< which of the origin's parts it is
  std::size_t layer = 0;                  ///< of our tensor
  std::size_t first = 0;                  ///< its first row within the layer, or, of a vector, number
  std::size_t count = 0;                  ///< its rows, or, of a vector, numbers

  /// A vector is a row.
  std::size_t rows() const { return ours->is_matrix() ? count : 1; }
  /// Numbers in a row.
  std::size_t cols() const { return ours->is_matrix() ? ours->cols : count; }
  /// Its first row among those of all layers.
  std::size_t first_row() const { return ours->is_matrix() ? layer * ours->rows + first : layer; }
  /// Its rows in the file.
  std::size_t file_rows() const { return origin->transposed ? cols() : rows(); }
  /// Numbers in a row of the file.
  std::size_t file_cols() const { return origin->transposed ? rows() : cols(); }
};

/// A name with the layer's number in the place of '#', and `prefix` before it.
inline std::string name_of_layer(const char* pattern, std::size_t layer, const char* prefix) {
  std::string name = prefix;
  for (const char* p = pattern; *p != '\0'; ++p) *p == '#' ? name += std::to_string(layer) : name += *p;
  return name;
}

/// All tensors of the file of a model, in the order of the model's table, which must outlive them, as must the names.
/// `prefix` stands before all names but the head's.
inline std::vector<file_tensor> file_tensors(const tensor_table& table, const decoder_shape& shape,
                                             const tensor_names& names, const char* prefix) {
  std::vector<file_tensor> all;
  for (const tensor_info& t : table) {
    const tensor_origin& origin = names.of(t.id);
    const char* const before = t.id == tensor_id::head_weight ? "" : prefix;
    for (std::size_t layer = 0; layer < t.layers; ++layer)
      for (std::size_t part = 0, first = 0; part < origin.count(); ++part) {
        const std::size_t whole = t.is_matrix() ? t.rows : t.cols;
        const std::size_t count = origin.rows[part] == nullptr ? whole : origin.rows[part](shape);
        all.push_back({name_of_layer(origin.parts[part], layer, before), &t, &origin, part, layer, first, count});
        first += count;
      }
  }
  return all;
}

}}  // namespace ctlm
