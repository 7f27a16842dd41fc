// SPDX-License-Identifier: MIT
// ctlm: the tensors that a file of a model has, one by one, and the place of each in ours: what loading and saving
// share.
#pragma once

#include "tensor_names.hpp"

#include <string>
#include <vector>

namespace ctlm { inline namespace CTLM_ABI {

/// One tensor of a file: some rows of one layer's matrix, or of each of its experts' matrices; or some numbers of its
/// vector; or its router.
struct file_tensor {
  std::string name;                       ///< in the file
  const tensor_info* ours = nullptr;      ///< the tensor that it is a part of
  const tensor_origin* origin = nullptr;  ///< how the file lays it out
  std::size_t part = 0;                   ///< which of the origin's parts it is
  std::size_t layer = 0;                  ///< of our tensor
  std::size_t first = 0;                  ///< its first row within the layer, or, of a vector, number
  std::size_t count = 0;                  ///< its rows (of one expert), or, of a vector, numbers
  std::size_t stacked = 0;                ///< of how many experts it has rows; 0: it is no stack of matrices

  /// A vector is a row.
  std::size_t rows() const { return ours->is_matrix() ? count * larger(1, stacked) : ours->rows; }
  /// Numbers in a row.
  std::size_t cols() const { return ours->is_matrix() ? ours->cols : count / ours->rows; }
  /// Where row r of a matrix goes among our rows of all layers.
  std::size_t our_row(std::size_t r) const {
    return layer * ours->rows + r / count * ours->piece_rows() + first + r % count;
  }
  /// Where the numbers of what is no matrix go among ours of all layers.
  std::size_t our_number() const { return layer * ours->rows * ours->cols + first; }
  /// Its dimensions in the file: 1 of gains and biases, 2 of matrices and routers, 3 of stacks.
  std::size_t rank() const { return stacked > 0 ? 3 : ours->decays() ? 2 : 1; }
  /// How long dimension i is, the outermost being 0.
  std::size_t dimension(std::size_t i) const {
    if (i + 1 == rank()) return file_cols();
    return i == 0 && stacked > 0 ? stacked : file_rows() / larger(1, stacked);
  }
  /// Its rows in the file.
  std::size_t file_rows() const { return origin->transposed ? cols() : rows(); }
  /// Numbers in a row of the file.
  std::size_t file_cols() const { return origin->transposed ? rows() : cols(); }
};

/// A name with the layer's number in the place of '#', the expert's in that of '@', and `prefix` before it.
inline std::string name_of_layer(const char* pattern, std::size_t layer, const char* prefix, std::size_t expert = 0) {
  std::string name = prefix;
  for (const char* p = pattern; *p != '\0'; ++p) {
    if (*p == '#' || *p == '@')
      name += std::to_string(*p == '#' ? layer : expert);
    else
      name += *p;
  }
  return name;
}

namespace file_tensors_detail {

inline bool is_of_one_expert(const char* pattern) {
  while (*pattern != '\0' && *pattern != '@') ++pattern;
  return *pattern == '@';
}

/// Adds the tensors that make up rows of one layer's tensor: `pieces` times those of the origin, or stacks of them.
inline void add_layer(std::vector<file_tensor>& all, const tensor_info& t, const decoder_shape& shape,
                      const tensor_origin& origin, std::size_t layer, const char* prefix) {
  const bool of_experts = shape.experts > 0 && rule_of(t.id).pieces != one_piece;
  const bool stacked = of_experts && !is_of_one_expert(origin.parts[0]);
  const std::size_t whole = t.is_matrix() ? t.piece_rows() : t.rows * t.cols;
  for (std::size_t piece = 0; piece < (stacked ? 1 : t.pieces); ++piece)
    for (std::size_t part = 0, first = piece * whole; part < origin.count(); ++part) {
      const std::size_t count = origin.rows[part] == nullptr ? whole : origin.rows[part](shape);
      all.push_back({name_of_layer(origin.parts[part], layer, prefix, piece), &t, &origin, part, layer, first, count,
                     stacked ? t.pieces : 0});
      first += count;
    }
}

}  // namespace file_tensors_detail

/// All tensors of the file of a model, in the order of the model's table, which must outlive them, as must the names.
/// `prefix` stands before all names but the head's.
template <std::size_t Most>
std::vector<file_tensor> file_tensors(const basic_tensor_table<Most>& table, const decoder_shape& shape,
                                      const tensor_names& names, const char* prefix) {
  std::vector<file_tensor> all;
  for (const tensor_info& t : table) {
    const tensor_origin& origin = names.of(t.id);
    const char* const before = t.id == tensor_id::head_weight ? "" : prefix;
    for (std::size_t layer = 0; layer < t.layers; ++layer)
      if (origin.count() > 0) file_tensors_detail::add_layer(all, t, shape, origin, layer, before);
  }
  return all;
}

}}  // namespace ctlm
